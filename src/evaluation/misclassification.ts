import { auroc } from './metrics.ts';
import type { Scores } from './operating-points.ts';

/** How well a score tells the InD images that the classifier gets wrong from those that it gets right. */
export interface Misclassification {
  /** AUROC of right against wrong, wrong being the positive class; between 0 and 1, 0.5 is chance. */
  readonly auroc: number;
  /** Area under the risk-coverage curve; between 0 and 1, lower is better, the share of wrong images is chance. */
  readonly aurc: number;
}

/**
 * Measures a score as what makes a classifier abstain (misclassification or failure detection): Hendrycks and Gimpel, "A
 * baseline for detecting misclassified and out-of-distribution examples in neural networks", ICLR 2017; AURC: Geifman,
 * Uziel and El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", ICLR 2019.
 *
 * @param scores N scores of InD images, higher = more OOD
 * @param isWrong for each image 1 where the classifier is wrong, else 0
 * @throws RangeError where all images are right or all are wrong, or a score is NaN or infinite
 *
 * @example
 * ```ts
 * import { misclassification } from 'la-ood/methods';
 *
 * console.log(misclassification(Float64Array.of(0.1, 0.2, 0.9), Uint8Array.of(0, 0, 1)));
 * ```
 */
export function misclassification(scores: Scores, isWrong: Uint8Array): Misclassification {
  const of = (wrong: number) => scores.filter((_, i) => isWrong[i] === wrong);
  return { auroc: auroc(of(0), of(1)), aurc: areaUnderRiskCoverage(scores, isWrong) };
}

/**
 * The mean over n = 1 … N of the share of wrong images among the n with the lowest scores. Equal scores count as in any
 * order: their images are wrong at the share that all of them are.
 */
function areaUnderRiskCoverage(scores: Scores, isWrong: Uint8Array): number {
  const order = Uint32Array.from(scores.keys()).sort((a, b) => scores[a] - scores[b]);
  let area = 0;
  let wrong = 0;
  for (let start = 0; start < order.length; ) {
    let end = start;
    let added = 0;
    while (end < order.length && scores[order[end]] === scores[order[start]]) added += isWrong[order[end++]];
    for (let n = start + 1; n <= end; n++) area += (wrong + (added * (n - start)) / (end - start)) / n;
    wrong += added;
    start = end;
  }
  return area / order.length;
}
