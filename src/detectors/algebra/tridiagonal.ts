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

/**
 * Householder's reduction of a symmetric matrix (Golub and Van Loan, "Matrix Computations", 8.3), along rows, as they lie in
 * memory.
 *
 * @param a size × size, row-major; its lower triangle is read, and overwritten
 */
export function tridiagonalise(a: Float64Array, size: number): Tridiagonal {
  const diagonal = new Float64Array(size);
  const beside = new Float64Array(size);
  const reflectors: Float64Array[] = [];
  for (let k = 0; k < size; k++) {
    diagonal[k] = a[k * size + k];
    const length = size - k - 1;
    if (length === 0) break;
    const v = Float64Array.from({ length }, (_, i) => a[(k + 1 + i) * size + k]);
    const norm = lengthOf(v);
    const first = v[0];
    const target = first > 0 ? -norm : norm;
    beside[k] = target;
    v[0] -= target;
    // |v|² = 2 norm (norm + |first|)
    const scale = norm > 0 ? 1 / Math.sqrt(norm * (norm + Math.abs(first))) : 0;
    for (let i = 0; i < length; i++) v[i] *= scale;
    reflectors.push(v);
    if (scale > 0) updateRest(a, size, k + 1, v);
  }
  return { diagonal, beside, reflectors };
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

/** A ← (I − v vᵀ) A (I − v vᵀ) of the lower triangle from a row on: A − v wᵀ − w vᵀ, w = A v − ½ (vᵀ A v) v. */
function updateRest(a: Float64Array, size: number, from: number, v: Float64Array): void {
  const length = v.length;
  const w = new Float64Array(length);
  for (let i = 0; i < length; i++) {
    const row = (from + i) * size + from;
    const vi = v[i];
    let sum = a[row + i] * vi;
    for (let j = 0; j < i; j++) {
      const value = a[row + j];
      sum += value * v[j];
      w[j] += value * vi;
    }
    w[i] += sum;
  }
  let product = 0;
  for (let i = 0; i < length; i++) product += v[i] * w[i];
  for (let i = 0; i < length; i++) w[i] -= (product / 2) * v[i];
  for (let i = 0; i < length; i++) {
    const row = (from + i) * size + from;
    const vi = v[i];
    const wi = w[i];
    for (let j = 0; j <= i; j++) a[row + j] -= vi * w[j] + wi * v[j];
  }
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
