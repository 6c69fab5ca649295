/** A root λ of the secular equation. */
export interface Root {
  readonly value: number;
  /** pole − λ of each pole, to full relative precision. */
  readonly distances: Float64Array;
}

/** Steps for one root, of which some five are usual. */
const MOST_STEPS = 200;

/**
 * The roots of 1 + ρ Σ_i z_i² / (d_i − λ), one between each two poles and one above the last, by rational interpolation within a
 * bracket (Li, "Solving secular equations stably and efficiently", LAPACK Working Note 89, 1993: the middle way).
 *
 * @param poles d, rising, no two equal
 * @param weights z, none 0
 * @param strength ρ > 0
 */
export function secularRoots(poles: Float64Array, weights: Float64Array, strength: number): Root[] {
  const squares = weights.map((weight) => strength * weight * weight);
  const total = squares.reduce((sum, square) => sum + square, 0);
  return Array.from(poles, (pole, j) => {
    const end = j < poles.length - 1 ? poles[j + 1] : pole + total;
    return rootBetween(poles, squares, j, (end - pole) / 2);
  });
}

/** The root above pole j, from the pole that is nearer. */
function rootBetween(poles: Float64Array, squares: Float64Array, j: number, half: number): Root {
  const size = poles.length;
  const isLast = j === size - 1;
  const shifted = (origin: number) => poles.map((pole) => pole - origin);
  let distances = shifted(poles[j]);
  const isLower = valueAt(distances, squares, j, half).value >= 0;
  if (!isLower && !isLast) distances = shifted(poles[j + 1]);
  const origin = isLower || isLast ? poles[j] : poles[j + 1];
  let [low, high] = isLower ? [0, half] : isLast ? [half, 2 * half] : [-half, 0];
  let at = (low + high) / 2;
  // Rounding may put the last root a little above its bound.
  if (isLast && !isLower && valueAt(distances, squares, j, high).value < 0) high *= 1 + 1e-10;
  for (let step = 0; step < MOST_STEPS; step++) {
    const { value, below, above, size: magnitude } = valueAt(distances, squares, j, at);
    if (Math.abs(value) <= Number.EPSILON * magnitude) break;
    if (value < 0) low = at;
    else high = at;
    const next = isLast
      ? Number.NaN
      : at + middleWay(distances[j] - at, distances[j + 1] - at, value, below, above);
    const inside = next > low && next < high ? next : (low + high) / 2;
    if (inside === at || inside === low || inside === high) break;
    at = inside;
  }
  return { value: origin + at, distances: distances.map((distance) => distance - at) };
}

/** The function, its derivative by the poles up to j and by those above, and how large its terms are. */
function valueAt(distances: Float64Array, squares: Float64Array, j: number, at: number) {
  let value = 1;
  let size = 1;
  let below = 0;
  let above = 0;
  for (let i = 0; i <= j; i++) {
    const inverse = 1 / (distances[i] - at);
    const term = squares[i] * inverse;
    value += term;
    size += Math.abs(term);
    below += term * inverse;
  }
  for (let i = j + 1; i < squares.length; i++) {
    const inverse = 1 / (distances[i] - at);
    const term = squares[i] * inverse;
    value += term;
    size += Math.abs(term);
    above += term * inverse;
  }
  return { value, below, above, size };
}

/** The step to the root of c + s / (δ_j − η) + S / (δ_{j+1} − η) that has the function's value and derivatives here. */
function middleWay(first: number, second: number, value: number, below: number, above: number): number {
  const c = value - first * below - second * above;
  const a = (first + second) * value - first * second * (below + above);
  const b = first * second * value;
  const root = Math.sqrt(Math.max(0, a * a - 4 * b * c));
  return a <= 0 ? (a - root) / (2 * c) : (2 * b) / (a + root);
}
