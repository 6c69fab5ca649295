import type { FloatArray } from './rbf-kernel.ts';

/** Stands in for a curvature that is not positive (LIBSVM's TAU). */
const TAU = 1e-12;

/**
 * Minimises ½ a'Ka over a few variables by sequential minimal optimisation with second-order selection
 * (Fan, Chen, Lin: "Working set selection using second order information", JMLR 2005), all other variables held:
 * 0 ≤ a ≤ 1 and the sum of `alpha` stay. Ends when the largest violation among these variables is below `tolerance`.
 *
 * @param kernel q × q kernel values among the variables
 * @param alpha q variables, changed in place
 * @param gradient their gradients (Ka over all variables of the whole problem), changed in place
 */
export function solveSubproblem(
  kernel: FloatArray,
  alpha: Float64Array,
  gradient: Float64Array,
  tolerance: number,
): void {
  const q = alpha.length;
  const limit = 100 * q;
  const diagonal = Float64Array.from(alpha, (_, t) => kernel[t * q + t]);
  for (let iteration = 0; iteration < limit; iteration++) {
    // i: the variable that gains most from growing.
    let i = -1;
    let lowest = Number.POSITIVE_INFINITY;
    for (let t = 0; t < q; t++)
      if (alpha[t] < 1 && gradient[t] < lowest) {
        lowest = gradient[t];
        i = t;
      }
    if (i < 0) return;
    // j: among those that can shrink, the one with which i lowers the objective most.
    let j = -1;
    let best = 0;
    let highest = Number.NEGATIVE_INFINITY;
    const row = i * q;
    const kii = diagonal[i];
    for (let t = 0; t < q; t++) {
      if (alpha[t] <= 0) continue;
      const slope = gradient[t] - lowest;
      if (gradient[t] > highest) highest = gradient[t];
      if (slope <= 0) continue;
      const curvature = kii + diagonal[t] - 2 * kernel[row + t];
      const gain = (slope * slope) / Math.max(curvature, TAU);
      if (gain > best) {
        best = gain;
        j = t;
      }
    }
    if (j < 0 || highest - lowest < tolerance) return;
    const curvature = Math.max(kii + diagonal[j] - 2 * kernel[row + j], TAU);
    const step = Math.min((gradient[j] - lowest) / curvature, 1 - alpha[i], alpha[j]);
    // A bound that is met is met exactly: a remainder of rounding would keep the variable in play for ever.
    alpha[i] = step === 1 - alpha[i] ? 1 : alpha[i] + step;
    alpha[j] = step === alpha[j] ? 0 : alpha[j] - step;
    const other = j * q;
    for (let t = 0; t < q; t++) gradient[t] += step * (kernel[row + t] - kernel[other + t]);
  }
}
