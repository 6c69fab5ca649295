import type { Matrices } from './matrices.ts';
import { type Root, secularRoots } from './secular.ts';
import type { SymmetricEigen } from './symmetric-eigen.ts';
import { iterate } from './tridiagonal.ts';

/** Smaller tridiagonal matrices are iterated. */
const SMALL = 32;

/**
 * The eigenvalues and eigenvectors of a tridiagonal matrix by Cuppen's divide and conquer: T is two halves and ρ u uᵀ, so that it
 * is Q (D + ρ z zᵀ) Qᵀ of the halves' eigenvalues D and eigenvectors Q, z = Qᵀ u. Deflation and the eigenvectors from weights that are
 * recomputed as in Gu and Eisenstat, "A divide-and-conquer algorithm for the symmetric tridiagonal eigenproblem", SIAM Journal on Matrix
 * Analysis and Applications, 1995.
 *
 * @param diagonal n numbers
 * @param beside those below it; the last is of no meaning
 */
export async function divideAndConquer(
  matrices: Matrices,
  diagonal: Float64Array,
  beside: Float64Array,
): Promise<SymmetricEigen> {
  const size = diagonal.length;
  if (size <= SMALL) return iterated(diagonal, beside);
  const first = size >> 1;
  const coupling = beside[first - 1];
  const strength = Math.abs(coupling);
  const upper = diagonal.slice(0, first);
  const lower = diagonal.slice(first);
  upper[first - 1] -= strength;
  lower[0] -= strength;
  const left = await divideAndConquer(matrices, upper, beside.slice(0, first));
  const right = await divideAndConquer(matrices, lower, beside.slice(first));

  const vectors = new Float64Array(size * size);
  const values = new Float64Array(size);
  const weights = new Float64Array(size);
  const side = Math.sign(coupling);
  // Of length 1, where u has √2.
  for (let i = 0; i < first; i++) {
    values[i] = left.values[i];
    weights[i] = left.vectors[(i + 1) * first - 1] * Math.SQRT1_2;
    vectors.set(left.vectors.subarray(i * first, (i + 1) * first), i * size);
  }
  const second = size - first;
  for (let i = 0; i < second; i++) {
    values[first + i] = right.values[i];
    weights[first + i] = side * right.vectors[i * second] * Math.SQRT1_2;
    vectors.set(right.vectors.subarray(i * second, (i + 1) * second), (first + i) * size + first);
  }
  const kept = deflate(values, weights, vectors, 2 * strength);
  if (kept.length > 0) {
    const poles = Float64Array.from(kept, (i) => values[i]);
    const z = Float64Array.from(kept, (i) => weights[i]);
    const roots = secularRoots(poles, z, 2 * strength);
    const rows = new Float64Array(kept.length * size);
    kept.forEach((i, at) => {
      rows.set(vectors.subarray(i * size, (i + 1) * size), at * size);
    });
    const turned = await matrices.times(eigenvectorsOf(poles, z, roots), rows, kept.length);
    kept.forEach((i, at) => {
      values[i] = roots[at].value;
      vectors.set(turned.subarray(at * size, (at + 1) * size), i * size);
    });
  }
  return sorted(values, vectors);
}

function iterated(diagonal: Float64Array, beside: Float64Array): SymmetricEigen {
  const size = diagonal.length;
  const vectors = new Float64Array(size * size);
  for (let i = 0; i < size; i++) vectors[i * size + i] = 1;
  const values = Float64Array.from(diagonal);
  const e = Float64Array.from(beside);
  e[size - 1] = 0;
  iterate(values, e, vectors, size);
  return sorted(values, vectors);
}

/**
 * Finds the eigenpairs that the coupling leaves as they are: those of next to no weight, and of two next to equal eigenvalues one,
 * when their vectors are turned so that all of the weight is the other's.
 *
 * @returns those that are left, by rising value
 */
function deflate(
  values: Float64Array,
  weights: Float64Array,
  vectors: Float64Array,
  strength: number,
): number[] {
  const size = values.length;
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), strength);
  const tolerance = 8 * Number.EPSILON * largest;
  const order = Array.from(values.keys()).sort((a, b) => values[a] - values[b]);
  const kept: number[] = [];
  for (const i of order) {
    if (strength * Math.abs(weights[i]) <= tolerance) continue;
    const before = kept.at(-1);
    if (before !== undefined) {
      const length = Math.hypot(weights[before], weights[i]);
      const [cosine, sine] = [weights[i] / length, -weights[before] / length];
      const gap = values[i] - values[before];
      if (Math.abs(gap * cosine * sine) <= tolerance) {
        weights[i] = length;
        weights[before] = 0;
        turn(vectors, size, before, i, cosine, sine);
        const moved = values[before] * cosine ** 2 + values[i] * sine ** 2;
        values[i] = values[before] * sine ** 2 + values[i] * cosine ** 2;
        values[before] = moved;
        kept.pop();
      }
    }
    kept.push(i);
  }
  return kept;
}

function turn(vectors: Float64Array, size: number, a: number, b: number, cosine: number, sine: number): void {
  for (let k = 0; k < size; k++) {
    const [x, y] = [vectors[a * size + k], vectors[b * size + k]];
    vectors[a * size + k] = cosine * x + sine * y;
    vectors[b * size + k] = cosine * y - sine * x;
  }
}

/**
 * The eigenvectors of D + ρ z zᵀ, a row each, from its eigenvalues: with the weights of which these are the exact eigenvalues, the
 * vectors are orthogonal however near eigenvalues are to each other.
 */
function eigenvectorsOf(poles: Float64Array, z: Float64Array, roots: readonly Root[]): Float64Array {
  const size = poles.length;
  const weights = Float64Array.from(z, (weight, i) => {
    let product = -roots[size - 1].distances[i];
    for (let j = 0; j < i; j++) product *= roots[j].distances[i] / (poles[i] - poles[j]);
    for (let j = i; j < size - 1; j++) product *= -roots[j].distances[i] / (poles[j + 1] - poles[i]);
    return Math.sign(weight) * Math.sqrt(Math.abs(product));
  });
  const vectors = new Float64Array(size * size);
  roots.forEach(({ distances }, j) => {
    let square = 0;
    for (let i = 0; i < size; i++) {
      const value = weights[i] / distances[i];
      vectors[j * size + i] = value;
      square += value * value;
    }
    const scale = 1 / Math.sqrt(square);
    for (let i = 0; i < size; i++) vectors[j * size + i] *= scale;
  });
  return vectors;
}

function sorted(values: Float64Array, vectors: Float64Array): SymmetricEigen {
  const size = values.length;
  const order = Array.from(values.keys()).sort((a, b) => values[a] - values[b]);
  const rows = new Float64Array(size * size);
  order.forEach((from, to) => {
    rows.set(vectors.subarray(from * size, (from + 1) * size), to * size);
  });
  return { values: Float64Array.from(order, (i) => values[i]), vectors: rows };
}
