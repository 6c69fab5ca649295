import { indPositive, type OperatingPoints, operatingPoints, type Scores } from './operating-points.ts';

/** How well scores tell OOD from InD samples; every number a share between 0 and 1. */
export interface Metrics {
  /**
   * False positive rate at 95 % true positive rate, OOD being the positive class (OpenOOD's and LA-OOD's convention): the
   * share of the InD samples called OOD at the first operating point where at least 95 % of the OOD samples are found.
   * Lower is better.
   */
  readonly fprAt95Tpr: number;
  /**
   * The same with InD as the positive class (ODIN's, Energy's, DICE's and KNN's convention): the share of the OOD samples
   * accepted at the first operating point where at least 95 % of the InD samples are. One minus it is the share of the OOD
   * samples found at 5 % false alarms. The two conventions give different numbers for the same scores.
   */
  readonly fprAt95TprIndPositive: number;
  /** Area under the ROC curve: the chance that an OOD score is above an InD score, ties counting half. 0.5 is chance. */
  readonly auroc: number;
  /**
   * Area under the precision-recall curve, OOD being the positive class: scikit-learn's `auc(recall, precision)`, by
   * trapezoids between operating points, as OpenOOD computes it. (`average_precision_score` sums rectangles instead.)
   */
  readonly auprOut: number;
  /** The same, InD being the positive class. */
  readonly auprIn: number;
}

export interface MetricOptions {
  /**
   * `original` reads both FPR as the original LA-OOD does, `numpy.interp(.95, tpr, fpr)`: interpolated linearly over TPR,
   * and the largest FPR where several points have a TPR of exactly .95. On 100 images that is up to 7 points more.
   */
  readonly compat?: 'original';
}

/** Points of a ROC curve from (0, 0) to (1, 1), one for each distinct score and one before them. */
export interface RocCurve {
  readonly fpr: Float64Array;
  readonly tpr: Float64Array;
}

/**
 * All metrics of a pair of score arrays (higher = more OOD), as scikit-learn computes them, from one sort.
 *
 * @throws RangeError where a set is empty or a score is NaN or infinite (so do all functions of this file)
 *
 * @example
 * ```ts
 * import { computeMetrics } from 'la-ood/methods';
 *
 * const { auroc, fprAt95Tpr } = computeMetrics(Float64Array.of(0.1, 0.2, 0.4), Float64Array.of(0.3, 0.9));
 * console.log(auroc, fprAt95Tpr); // .8333, .3333
 * ```
 */
export function computeMetrics(indScores: Scores, oodScores: Scores, options?: MetricOptions): Metrics {
  return metricsOf(operatingPoints(indScores, oodScores), options);
}

/** All metrics of operating points that are counted already. */
export function metricsOf(points: OperatingPoints, { compat }: MetricOptions = {}): Metrics {
  const reversed = indPositive(points);
  const fprAtTpr = compat === 'original' ? interpolatedFpr : firstFpr;
  return {
    fprAt95Tpr: fprAtTpr(points, 0.95),
    fprAt95TprIndPositive: fprAtTpr(reversed, 0.95),
    auroc: areaUnderRoc(points),
    auprOut: areaUnderPrecisionRecall(points),
    auprIn: areaUnderPrecisionRecall(reversed),
  };
}

/** The ROC curve with OOD as the positive class, as `sklearn.metrics.roc_curve(drop_intermediate=False)`. */
export function rocCurve(indScores: Scores, oodScores: Scores): RocCurve {
  const { falsePositives, truePositives } = operatingPoints(indScores, oodScores);
  return {
    fpr: falsePositives.map((count) => count / indScores.length),
    tpr: truePositives.map((count) => count / oodScores.length),
  };
}

/** Area under the ROC curve, as `sklearn.metrics.roc_auc_score`. */
export function auroc(indScores: Scores, oodScores: Scores): number {
  return areaUnderRoc(operatingPoints(indScores, oodScores));
}

/** FPR at the first point whose TPR is at least `target`. */
function firstFpr({ falsePositives, truePositives }: OperatingPoints, target: number): number {
  const point = truePositives.findIndex((found) => found / last(truePositives) >= target);
  return falsePositives[point] / last(falsePositives);
}

/** `numpy.interp(target, tpr, fpr)` for 0 <= target < 1. (Collinear points, which scikit-learn drops, cannot move it.) */
function interpolatedFpr({ falsePositives, truePositives }: OperatingPoints, target: number): number {
  const fpr = (point: number) => falsePositives[point] / last(falsePositives);
  const tpr = (point: number) => truePositives[point] / last(truePositives);
  let point = 0;
  while (tpr(point + 1) <= target) point++;
  const slope = (fpr(point + 1) - fpr(point)) / (tpr(point + 1) - tpr(point));
  return fpr(point) + slope * (target - tpr(point));
}

function areaUnderRoc({ falsePositives: fp, truePositives: tp }: OperatingPoints): number {
  let doubled = 0; // a sum of whole numbers: exact
  for (let i = 1; i < fp.length; i++) doubled += (fp[i] - fp[i - 1]) * (tp[i] + tp[i - 1]);
  return doubled / (2 * last(fp) * last(tp));
}

function areaUnderPrecisionRecall({ falsePositives: fp, truePositives: tp }: OperatingPoints): number {
  let area = 0;
  let precision = 1; // by definition, while nothing is called positive
  for (let i = 1; i < tp.length; i++) {
    const called = tp[i] + fp[i];
    const next = called === 0 ? 1 : tp[i] / called;
    area += ((tp[i] - tp[i - 1]) * (next + precision)) / (2 * last(tp));
    precision = next;
  }
  return area;
}

function last(values: Float64Array): number {
  return values[values.length - 1];
}
