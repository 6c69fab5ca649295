import type { Matrices } from './matrices.ts';

/** Sweeps of the QL iteration for one eigenvalue, of which two or three are usual. */
const MOST_SWEEPS = 60;

/** A symmetric matrix H T H, T tridiagonal, H a product of reflections. */
export interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** The elements below it; the last is 0. */
  readonly beside: Float64Array;
  /** Each of length √2, so that I − v vᵀ reflects, or of zeros; reflector k begins at element k + 1. */
  readonly reflectors: readonly Float64Array[];
}

/** Columns that are reduced before what is left of the matrix is changed for all of them. */
const PANEL = 24;

/**
 * Householder's reduction of a symmetric matrix (Golub and Van Loan, "Matrix Computations", 8.3). The steps' changes, A − v wᵀ − w vᵀ
 * each, wait for a panel of columns, and are then one product of matrices (LAPACK's dsytrd); until then what is read of the matrix
 * is corrected for them.
 *
 * @param a size × size, row-major; its lower triangle is read, and overwritten
 */
export async function tridiagonalise(
  matrices: Matrices,
  a: Float64Array,
  size: number,
): Promise<Tridiagonal> {
  const diagonal = new Float64Array(size);
  const beside = new Float64Array(size);
  const reflectors: Float64Array[] = [];
  for (let first = 0; first < size; first += PANEL) {
    const end = Math.min(size, first + PANEL);
    const changes: Change[] = [];
    for (let k = first; k < end; k++) {
      const v = new Float64Array(size);
      for (let i = k; i < size; i++) v[i] = a[i * size + k];
      for (const change of changes) subtract(v, k, change.v, change.w[k], change.w, change.v[k]);
      diagonal[k] = v[k];
      if (k === size - 1) break;
      v[k] = 0;
      beside[k] = toReflector(v.subarray(k + 1));
      reflectors.push(v.subarray(k + 1));
      const w = new Float64Array(size);
      multiply(a, size, k + 1, v, w);
      for (const change of changes)
        subtract(w, k + 1, change.v, product(change.w, v, k + 1), change.w, product(change.v, v, k + 1));
      // w = A v − ½ (vᵀ A v) v
      const half = product(v, w, k + 1) / 2;
      for (let i = k + 1; i < size; i++) w[i] -= half * v[i];
      changes.push({ v, w });
    }
    if (end < size) await changeFrom(matrices, a, size, end, changes);
  }
  return { diagonal, beside, reflectors };
}

/** A ← A − v wᵀ − w vᵀ. */
interface Change {
  readonly v: Float64Array;
  readonly w: Float64Array;
}

/** x ← x − a v − b w from an element on. */
function subtract(
  x: Float64Array,
  from: number,
  v: Float64Array,
  a: number,
  w: Float64Array,
  b: number,
): void {
  for (let i = from; i < x.length; i++) x[i] -= a * v[i] + b * w[i];
}

/** vᵀ w from an element on. */
function product(v: Float64Array, w: Float64Array, from: number): number {
  let sum = 0;
  for (let i = from; i < v.length; i++) sum += v[i] * w[i];
  return sum;
}

/** Makes changes of the lower triangle from a row and column on: V Wᵀ + W Vᵀ is one product, of V beside W and of W beside V. */
async function changeFrom(
  matrices: Matrices,
  a: Float64Array,
  size: number,
  from: number,
  changes: readonly Change[],
): Promise<void> {
  const rows = size - from;
  const count = changes.length;
  const left = new Float64Array(rows * 2 * count);
  const right = new Float64Array(rows * 2 * count);
  for (let i = 0; i < rows; i++)
    changes.forEach(({ v, w }, q) => {
      const at = i * 2 * count + q;
      left[at] = right[at + count] = v[from + i];
      right[at] = left[at + count] = w[from + i];
    });
  const change = await matrices.timesTransposed(left, right, 2 * count);
  for (let i = 0; i < rows; i++) {
    const row = (from + i) * size + from;
    for (let j = 0; j <= i; j++) a[row + j] -= change[i * rows + j];
  }
}

/** Rows of which each number of x, and of the result, is read once. */
const TOGETHER = 4;

/** result ← result + A x, of the lower triangle from a row and column on. */
function multiply(a: Float64Array, size: number, from: number, x: Float64Array, result: Float64Array): void {
  let i = from;
  for (; i + TOGETHER <= size; i += TOGETHER) {
    const [first, second, third, fourth] = [i * size, (i + 1) * size, (i + 2) * size, (i + 3) * size];
    const [x0, x1, x2, x3] = [x[i], x[i + 1], x[i + 2], x[i + 3]];
    let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0];
    for (let j = from; j < i; j++) {
      const xj = x[j];
      const a0 = a[first + j];
      const a1 = a[second + j];
      const a2 = a[third + j];
      const a3 = a[fourth + j];
      sum0 += a0 * xj;
      sum1 += a1 * xj;
      sum2 += a2 * xj;
      sum3 += a3 * xj;
      result[j] += a0 * x0 + a1 * x1 + (a2 * x2 + a3 * x3);
    }
    result[i] += sum0;
    result[i + 1] += sum1;
    result[i + 2] += sum2;
    result[i + 3] += sum3;
    multiplyRows(a, size, i, i + TOGETHER, i, x, result);
  }
  multiplyRows(a, size, i, size, from, x, result);
}

/** The part of the rows `top … end − 1` from a column on, and what mirrors it. */
function multiplyRows(
  a: Float64Array,
  size: number,
  top: number,
  end: number,
  from: number,
  x: Float64Array,
  result: Float64Array,
): void {
  for (let i = top; i < end; i++) {
    const row = i * size;
    let sum = a[row + i] * x[i];
    for (let j = from; j < i; j++) {
      sum += a[row + j] * x[j];
      result[j] += a[row + j] * x[i];
    }
    result[i] += sum;
  }
}

/**
 * Makes of a vector x the v of the reflection I − v vᵀ that turns it to its first axis; zeros of zeros.
 *
 * @returns the first element of the reflected x
 */
function toReflector(x: Float64Array): number {
  const norm = lengthOf(x);
  const first = x[0];
  const target = first > 0 ? -norm : norm;
  x[0] -= target;
  // |x|² = 2 norm (norm + |first|)
  const scale = norm > 0 ? 1 / Math.sqrt(norm * (norm + Math.abs(first))) : 0;
  for (let i = 0; i < x.length; i++) x[i] *= scale;
  return target;
}

/** Safe from overflow and underflow. */
function lengthOf(v: Float64Array): number {
  let sum = 0;
  let largest = 0;
  for (let i = 0; i < v.length; i++) largest = Math.max(largest, Math.abs(v[i]));
  if (largest === 0) return 0;
  for (let i = 0; i < v.length; i++) sum += (v[i] / largest) ** 2;
  return largest * Math.sqrt(sum);
}

/**
 * The implicit QL iteration: the diagonal becomes the eigenvalues of a tridiagonal matrix, in no order.
 *
 * @param d the diagonal
 * @param e what is beside it; its last element is of no meaning
 * @param vectors size × size; each rotation turns two of its rows: where they are the identity's, they become the eigenvectors
 * @throws Error where the iteration does not end, as on a matrix that holds NaN
 */
export function iterate(d: Float64Array, e: Float64Array, vectors: Float64Array, size: number): void {
  for (let l = 0; l < size; l++)
    for (let sweep = 0; ; sweep++) {
      let m = l;
      while (m < size - 1 && Math.abs(e[m]) > Number.EPSILON * (Math.abs(d[m]) + Math.abs(d[m + 1]))) m++;
      if (m === l) break;
      if (!(sweep < MOST_SWEEPS)) throw new Error('the eigenvalues of a matrix cannot be found');
      const half = (d[l + 1] - d[l]) / (2 * e[l]);
      const root = Math.hypot(half, 1);
      let g = d[m] - d[l] + e[l] / (half + (half < 0 ? -root : root));
      let sine = 1;
      let cosine = 1;
      let p = 0;
      let i = m - 1;
      for (; i >= l; i--) {
        const f = sine * e[i];
        const b = cosine * e[i];
        const r = Math.hypot(f, g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1] -= p;
          e[m] = 0;
          break;
        }
        sine = f / r;
        cosine = g / r;
        g = d[i + 1] - p;
        const t = (d[i] - g) * sine + 2 * cosine * b;
        p = sine * t;
        d[i + 1] = g + p;
        g = cosine * t - b;
        rotate(vectors, size, i, sine, cosine);
      }
      if (i >= l) continue;
      d[l] -= p;
      e[l] = g;
      e[m] = 0;
    }
}

function rotate(vectors: Float64Array, size: number, i: number, sine: number, cosine: number): void {
  const upper = i * size;
  const lower = upper + size;
  for (let k = 0; k < size; k++) {
    const f = vectors[lower + k];
    const g = vectors[upper + k];
    vectors[lower + k] = sine * g + cosine * f;
    vectors[upper + k] = cosine * g - sine * f;
  }
}
