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
 * memory. A step's change, A − v wᵀ − w vᵀ, is made while the next step multiplies by A: the matrix is read once for both.
 *
 * @param a size × size, row-major; its lower triangle is read, and overwritten
 */
export function tridiagonalise(a: Float64Array, size: number): Tridiagonal {
  const diagonal = new Float64Array(size);
  const beside = new Float64Array(size);
  const reflectors: Float64Array[] = [];
  let v = new Float64Array(size);
  let w = new Float64Array(size);
  for (let k = 0; k < size; k++) {
    for (let i = k; i < size; i++) a[i * size + k] -= v[i] * w[k] + w[i] * v[k];
    diagonal[k] = a[k * size + k];
    if (k === size - 1) break;
    const nextV = new Float64Array(size);
    for (let i = k + 1; i < size; i++) nextV[i] = a[i * size + k];
    beside[k] = toReflector(nextV.subarray(k + 1));
    reflectors.push(nextV.subarray(k + 1));
    const nextW = new Float64Array(size);
    changeAndMultiply(a, size, k + 1, v, w, nextV, nextW);
    // w = A v − ½ (vᵀ A v) v
    let product = 0;
    for (let i = k + 1; i < size; i++) product += nextV[i] * nextW[i];
    for (let i = k + 1; i < size; i++) nextW[i] -= (product / 2) * nextV[i];
    [v, w] = [nextV, nextW];
  }
  return { diagonal, beside, reflectors };
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

/** A ← A − v wᵀ − w vᵀ of the lower triangle from a row and column on, and product ← A x of what it then is; two rows at once. */
function changeAndMultiply(
  a: Float64Array,
  size: number,
  from: number,
  v: Float64Array,
  w: Float64Array,
  x: Float64Array,
  product: Float64Array,
): void {
  let i = from;
  for (; i + 1 < size; i += 2) {
    const upper = i * size;
    const lower = upper + size;
    const [v0, w0, x0] = [v[i], w[i], x[i]];
    const [v1, w1, x1] = [v[i + 1], w[i + 1], x[i + 1]];
    let sum0 = 0;
    let sum1 = 0;
    for (let j = from; j < i; j++) {
      const vj = v[j];
      const wj = w[j];
      const value0 = a[upper + j] - (v0 * wj + w0 * vj);
      const value1 = a[lower + j] - (v1 * wj + w1 * vj);
      a[upper + j] = value0;
      a[lower + j] = value1;
      sum0 += value0 * x[j];
      sum1 += value1 * x[j];
      product[j] += value0 * x0 + value1 * x1;
    }
    const corner = a[upper + i] - 2 * v0 * w0;
    const between = a[lower + i] - (v1 * w0 + w1 * v0);
    const last = a[lower + i + 1] - 2 * v1 * w1;
    a[upper + i] = corner;
    a[lower + i] = between;
    a[lower + i + 1] = last;
    product[i] += sum0 + corner * x0 + between * x1;
    product[i + 1] += sum1 + between * x0 + last * x1;
  }
  if (i === size) return;
  const row = i * size;
  let sum = 0;
  for (let j = from; j < i; j++) {
    const value = a[row + j] - (v[i] * w[j] + w[i] * v[j]);
    a[row + j] = value;
    sum += value * x[j];
    product[j] += value * x[i];
  }
  a[row + i] -= 2 * v[i] * w[i];
  product[i] += sum + a[row + i] * x[i];
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
