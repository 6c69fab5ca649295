import { aggregate, type LayerAggregation } from './layer-aggregation.ts';
import { moments } from './moments.ts';

/**
 * How the scores of a network's successive stages are put on one scale. A stage's score is how far the aggregation of the
 * detectors so far is above a limit that few InD images exceed, in its own deviations: so one threshold, near 0, serves all
 * stages, and the largest of their scores is a score of its own, with one calibration.
 */
export interface Limit {
  /** A score that this stage's part of the false alarms exceeds. */
  readonly limit: number;
  /** Deviation of the score. */
  readonly spread: number;
}

/**
 * The early stages' part of the false alarms. They see less: what they are given is lost to the last one, which decides
 * best. Of a quarter, near-OOD images lose less than a point.
 */
const EARLY_PART = 0.25;

/**
 * Fits the limits of stages on calibration images.
 *
 * @param scores of calibration images, n × detectors, row-major
 * @param counts how many detectors have been computed by the end of each stage, at least one
 * @param rate false-alarm rate that the stages are meant for, (0, 1)
 */
export function fitLimits(
  scores: Float32Array,
  aggregation: LayerAggregation,
  counts: readonly number[],
  rate: number,
): Limit[] {
  const detectors = counts[counts.length - 1];
  const early = counts.length - 1;
  return counts.map((count, stage) => {
    const part = stage < early ? EARLY_PART / early : early > 0 ? 1 - EARLY_PART : 1;
    return limitOf(aggregate(scores, detectors, aggregation, count), rate * part);
  });
}

/** What every stage says of every image: n × stages, row-major; higher is more OOD. */
export function stageScores(
  scores: Float32Array,
  aggregation: LayerAggregation,
  counts: readonly number[],
  limits: readonly Limit[],
): Float64Array {
  const detectors = counts[counts.length - 1];
  const stages = counts.map((count) => aggregate(scores, detectors, aggregation, count));
  const all = new Float64Array((scores.length / detectors) * counts.length);
  stages.forEach((values, stage) => {
    const { limit, spread } = limits[stage];
    values.forEach((value, row) => {
      all[row * counts.length + stage] = (value - limit) / spread;
    });
  });
  return all;
}

/** The largest score where no part of them can exceed it. */
function limitOf(scores: Float32Array, part: number): Limit {
  const sorted = scores.toSorted();
  const limit = sorted[sorted.length - 1 - Math.floor(part * sorted.length)];
  return { limit, spread: moments(scores).deviation };
}
