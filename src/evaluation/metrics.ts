import { indPositive, type OperatingPoints, operatingPoints, type Scores } from './operating-points.ts';

/** How well scores tell OOD from InD samples; every number a share between 0 and 1. */
export interface Metrics {
  /** False positive rate at 95 % true positive rate, OOD being the positive class (LA-OOD's convention). Lower is better. */
  readonly fprAt95Tpr: number;
  /** The same with InD as the positive class (ODIN's, Energy's, DICE's and KNN's convention). Lower is better. */
  readonly fprAt95TprIndPositive: number;
  /** Area under the ROC curve: the chance that an OOD score is above an InD score, ties counting half. */
  readonly auroc: number;
  /** Area under the precision-recall curve, OOD being the positive class. */
  readonly auprOut: number;
  /** Area under the precision-recall curve, InD being the positive class. */
  readonly auprIn: number;
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
 */
export function computeMetrics(indScores: Scores, oodScores: Scores): Metrics {
  return metricsOf(operatingPoints(indScores, oodScores));
}

/** All metrics of operating points that are counted already. */
export function metricsOf(points: OperatingPoints): Metrics {
  const reversed = indPositive(points);
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

/** Area under the ROC curve, as `sklearn.metrics.roc_auc_score`; 0.5 is chance. */
export function auroc(indScores: Scores, oodScores: Scores): number {
  return areaUnderRoc(operatingPoints(indScores, oodScores));
}

/**
 * False positive rate (share of InD samples called OOD) where 95 % of the OOD samples are found: linear interpolation
 * of FPR over TPR; where several points have a TPR of exactly .95, the one with the largest FPR.
 */
export function fprAt95Tpr(indScores: Scores, oodScores: Scores): number {
  return fprAtTpr(operatingPoints(indScores, oodScores), 0.95);
}

/**
 * False positive rate with InD as the positive class: the share of OOD samples accepted where 95 % of the InD samples
 * are (Liang, Li and Srikant, "Enhancing the reliability of out-of-distribution image detection in neural networks",
 * ICLR 2018). Interpolated as in {@link fprAt95Tpr}. The two conventions give different numbers for the same scores.
 */
export function fprAt95TprIndPositive(indScores: Scores, oodScores: Scores): number {
  return fprAtTpr(indPositive(operatingPoints(indScores, oodScores)), 0.95);
}

/** Area under the precision-recall curve by trapezoids, OOD positive: `auc(recall, precision)` of scikit-learn. */
export function auprOut(indScores: Scores, oodScores: Scores): number {
  return areaUnderPrecisionRecall(operatingPoints(indScores, oodScores));
}

/** The same with labels and scores negated: InD positive. */
export function auprIn(indScores: Scores, oodScores: Scores): number {
  return areaUnderPrecisionRecall(indPositive(operatingPoints(indScores, oodScores)));
}

/** `numpy.interp(target, tpr, fpr)` for 0 <= target < 1. (Collinear points, which scikit-learn drops, cannot move it.) */
function fprAtTpr({ falsePositives, truePositives }: OperatingPoints, target: number): number {
  const fpr = (point: number) => falsePositives[point] / last(falsePositives);
  const tpr = (point: number) => truePositives[point] / last(truePositives);
  let point = 0;
  while (tpr(point + 1) <= target) point++;
  if (tpr(point) === target) return fpr(point);
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
