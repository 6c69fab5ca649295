import { divideAndConquer } from './divide-and-conquer.ts';
import type { Matrices } from './matrices.ts';
import { tridiagonalise } from './tridiagonal.ts';

/** Eigenvalues in rising order, and their eigenvectors, of length 1, a row each. */
export interface SymmetricEigen {
  readonly values: Float64Array;
  /** As many as were wanted × size, row-major: row i belongs to value i. */
  readonly vectors: Float64Array;
}

/** Reflections that are applied together. */
const TOGETHER = 64;

/**
 * The eigenvalues and eigenvectors of a symmetric matrix: Householder's reduction to a tridiagonal one, whose eigenvectors are
 * found by divide and conquer, and reflected back. All of order size³ but the reduction is products of matrices.
 *
 * @param matrix size × size, row-major, of finite numbers; only its lower triangle is read
 * @param count how many eigenvectors are wanted: those of the smallest eigenvalues
 */
export async function symmetricEigen(
  matrices: Matrices,
  matrix: Float64Array,
  size: number,
  count = size,
): Promise<SymmetricEigen> {
  const { diagonal, beside, reflectors } = await tridiagonalise(matrices, Float64Array.from(matrix), size);
  const { values, vectors: all } = await divideAndConquer(matrices, diagonal, beside);
  const vectors = all.subarray(0, count * size);
  for (let end = reflectors.length; end > 0; end -= TOGETHER) {
    const some = reflectors.slice(Math.max(0, end - TOGETHER), end).reverse();
    await reflect(matrices, vectors, some, size);
  }
  return { values, vectors };
}

/**
 * Multiplies rows by the reflections I − w wᵀ, one after the other, as I − Wᵀ S W (Golub and Van Loan, 5.1.7): a column is added to
 * S for each, −S W w and 1 below it.
 */
async function reflect(
  matrices: Matrices,
  rows: Float64Array,
  reflectors: readonly Float64Array[],
  size: number,
): Promise<void> {
  const count = reflectors.length;
  const w = new Float64Array(count * size);
  reflectors.forEach((v, m) => {
    w.set(v, (m + 1) * size - v.length);
  });
  const products = await matrices.timesTransposed(w, w, size);
  const s = new Float64Array(count * count);
  for (let m = 0; m < count; m++) {
    s[m * count + m] = 1;
    for (let i = 0; i < m; i++)
      for (let j = i; j < m; j++) s[i * count + m] -= s[i * count + j] * products[j * count + m];
  }
  const along = await matrices.timesTransposed(rows, w, size);
  const change = await matrices.times(await matrices.times(along, s, count), w, count);
  for (let i = 0; i < rows.length; i++) rows[i] -= change[i];
}
