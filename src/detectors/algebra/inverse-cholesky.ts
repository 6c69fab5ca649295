import { inverseCholesky } from '../../common/cholesky.ts';
import type { Matrices } from './matrices.ts';

/** Smaller matrices are factored by themselves. */
const SMALL = 96;

/**
 * The inverse L⁻¹ of the Cholesky factor of a symmetric positive definite matrix L Lᵀ, as `inverseCholesky`; of large ones by
 * halves, so that nearly all of the work is products of matrices:
 *
 *     A = [A₁₁ A₂₁ᵀ; A₂₁ A₂₂], L₂₁ = A₂₁ L₁₁⁻ᵀ, L₂₂ L₂₂ᵀ = A₂₂ − L₂₁ L₂₁ᵀ, (L⁻¹)₂₁ = −L₂₂⁻¹ L₂₁ L₁₁⁻¹
 *
 * @param matrix size × size, row-major; only its lower triangle is read
 * @returns undefined where it is not positive definite
 */
export async function inverseCholeskyOfLarge(
  matrices: Matrices,
  matrix: Float64Array,
  size: number,
): Promise<Float64Array | undefined> {
  if (size <= SMALL) return inverseCholesky(matrix, size);
  const first = size >> 1;
  const second = size - first;
  const upper = await inverseCholeskyOfLarge(matrices, part(matrix, size, 0, 0, first, first), first);
  if (!upper) return undefined;
  const beside = await matrices.timesTransposed(part(matrix, size, first, 0, second, first), upper, first);
  const products = await matrices.timesTransposed(beside, beside, first);
  const rest = part(matrix, size, first, first, second, second);
  for (let i = 0; i < rest.length; i++) rest[i] -= products[i];
  const lower = await inverseCholeskyOfLarge(matrices, rest, second);
  if (!lower) return undefined;
  const corner = await matrices.times(await matrices.times(lower, beside, second), upper, first);

  const inverse = new Float64Array(size * size);
  for (let i = 0; i < first; i++) inverse.set(upper.subarray(i * first, (i + 1) * first), i * size);
  for (let i = 0; i < second; i++) {
    const row = (first + i) * size;
    for (let j = 0; j < first; j++) inverse[row + j] = -corner[i * first + j];
    inverse.set(lower.subarray(i * second, (i + 1) * second), row + first);
  }
  return inverse;
}

/** A block of a matrix, from a row and a column on. */
function part(
  matrix: Float64Array,
  size: number,
  row: number,
  column: number,
  height: number,
  width: number,
): Float64Array {
  const block = new Float64Array(height * width);
  for (let i = 0; i < height; i++) {
    const from = (row + i) * size + column;
    block.set(matrix.subarray(from, from + width), i * width);
  }
  return block;
}
