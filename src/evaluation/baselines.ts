/** Scores that every classifier yields without a detector, by the name they go under in tables; higher = more OOD. */
export interface BaselineScores {
  /** Maximum softmax probability, negated: -max softmax(z), in [-1, -1/K]. */
  readonly MSP: Float64Array;
  /** Maximum logit, negated: -max z. */
  readonly 'max logit': Float64Array;
  /** Free energy at temperature 1: -log sum exp(z). */
  readonly energy: Float64Array;
}

/**
 * The three usual baselines, in float64 and safe from overflow.
 *
 * - MSP: Hendrycks and Gimpel, "A baseline for detecting misclassified and out-of-distribution examples in neural
 *   networks", ICLR 2017.
 * - max logit: Hendrycks et al., "Scaling out-of-distribution detection for real-world settings", ICML 2022.
 * - energy: Liu, Wang, Owens and Li, "Energy-based out-of-distribution detection", NeurIPS 2020.
 *
 * @param logits N x K, row-major
 * @param classes K
 */
export function baselineScores(logits: Float32Array | Float64Array, classes: number): BaselineScores {
  const count = logits.length / classes;
  if (classes < 1 || !Number.isInteger(count))
    throw new RangeError(`${logits.length} logits are not rows of ${classes} classes`);
  const scores = {
    MSP: new Float64Array(count),
    'max logit': new Float64Array(count),
    energy: new Float64Array(count),
  };
  for (let row = 0; row < count; row++) {
    const z = logits.subarray(row * classes, (row + 1) * classes);
    let max = z[0];
    for (let k = 1; k < classes; k++) if (z[k] > max) max = z[k];
    let sum = 0; // of exp(z - max): at least 1, so that neither the quotient nor the logarithm can fail
    for (let k = 0; k < classes; k++) sum += Math.exp(z[k] - max);
    scores.MSP[row] = -1 / sum;
    scores['max logit'][row] = -max;
    scores.energy[row] = -(max + Math.log(sum));
  }
  return scores;
}
