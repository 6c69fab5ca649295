import { type DualSolution, dualityGap, dualObjective, RELATIVE_TOLERANCE, supportIndices } from './dual.ts';
import type { Points, RbfKernel } from './rbf-kernel.ts';

/** Rounding moves decision values and rho by less than this share of rho. */
const ROUNDING = 1e-3;

/** Points whose margin is below this share of rho would only widen the bound. */
const LEAST_MARGIN = 0.2;

/** Power iterations for the largest eigenvalue: each gives an upper bound, the third is nearly tight. */
const POWER_ITERATIONS = 3;

/**
 * How many of some points lie outside for certain, whatever the rest of the fit does: a proof from a fit that is not
 * finished.
 *
 * Let w = Σ a_i φ(x_i) belong to the multipliers at hand, D = ½|w|² and G their duality gap, N = ν n, and v, with
 * objective E, to those at which the solver will stop: its gradients f_v there lie between c h and h for a c = 1 − ¼ %,
 * except where a multiplier is 1, where they may be smaller.
 *
 * 1. E ≥ D − G, as G bounds the distance to the minimum.
 * 2. rho ≥ c h ≥ 2 c E / N, since 2E = Σ v_i f_v(x_i) ≤ h N. Call the right side r.
 * 3. ⟨w, v⟩ = Σ a_i f_v(x_i) ≥ 2 c E: with b for the points whose multiplier is 1, Σ a_i f_v(x_i) ≥
 *    c h N − Σ_b (c h − f_v(x_b)), and h N ≥ 2E + Σ_b (h − f_v(x_b)).
 * 4. So |w − v|² = 2D + 2E − 2⟨w, v⟩ ≤ 2D − 2(2c − 1)E ≤ 2 (D − (2c − 1)(D − G)).
 * 5. A point x with margin m(x) = r − ⟨w, φ(x)⟩ > 0 that v puts inside has ⟨v − w, φ(x)⟩ ≥ m(x). For a set T of them,
 *    Σ_T m² ≤ Σ_T m ⟨v − w, φ⟩ ≤ |v − w| |Σ_T m φ| ≤ |v − w| √(λ Σ_T m²) with λ the largest eigenvalue of the kernel
 *    matrix over all points with a margin, and therefore Σ_T m² ≤ λ |w − v|².
 *
 * No more points can turn inside than the smallest squared margins that fit into that. The bound is far sharper than
 * |⟨v − w, φ(x)⟩| ≤ |v − w| for each point by itself: λ is around 2, for thousands of points.
 *
 * @param points the training points
 * @param judged some points that are likely to be outside
 * @param wanted fewer are of no use: 0 may be given instead, where it is clear at once that there will not be so many
 */
export async function certainlyOutside(
  kernel: RbfKernel,
  points: Points,
  gamma: number,
  dual: DualSolution,
  judged: Points,
  wanted: number,
): Promise<number> {
  const objective = dualObjective(dual);
  const least = objective - dualityGap(dual);
  const sum = dual.alpha.reduce((a, b) => a + b, 0);
  const c = 1 - RELATIVE_TOLERANCE;
  const rho = (1 - ROUNDING) * c * ((2 * least) / sum);
  if (rho <= 0) return 0;
  const squaredDistance = 2 * (objective - (2 * c - 1) * least);
  // No margin exceeds rho, and no eigenvalue is below 1.
  if (judged.count - squaredDistance / rho ** 2 < wanted) return 0;

  const support = supportIndices(dual.alpha);
  const weights = Float64Array.from(support, (i) => dual.alpha[i]);
  const values = new Float64Array(judged.count);
  await kernel.addExpansion(values, judged, kernel.gather(points, support), weights, gamma);
  const margins = values.map((value) => rho - value);
  const outside = Uint32Array.from(margins.keys()).filter((i) => margins[i] > LEAST_MARGIN * rho);
  if (outside.length === 0) return 0;

  const squares = Float64Array.from(outside, (i) => margins[i] ** 2).sort();
  let budget = squaredDistance * (await largestEigenvalue(kernel, kernel.gather(judged, outside), gamma));
  let turned = 0;
  while (turned < squares.length && squares[turned] <= budget) budget -= squares[turned++];
  return squares.length - turned;
}

/** An upper bound: max_i (Ku)_i / u_i for any positive u (Collatz and Wielandt), as no kernel value is negative. */
async function largestEigenvalue(kernel: RbfKernel, points: Points, gamma: number): Promise<number> {
  let vector = new Float64Array(points.count).fill(1);
  let bound = Number.POSITIVE_INFINITY;
  for (let iteration = 0; iteration < POWER_ITERATIONS; iteration++) {
    const next = new Float64Array(points.count);
    await kernel.addExpansion(next, points, points, vector, gamma);
    bound = next.reduce((largest, value, i) => Math.max(largest, value / vector[i]), 0);
    const scale = next.reduce((a, b) => Math.max(a, b), 0);
    vector = next.map((value) => value / scale);
  }
  return bound * (1 + ROUNDING);
}
