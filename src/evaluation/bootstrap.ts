import { RandomState } from '../common/random.ts';
import { type MetricOptions, type Metrics, metricsOf } from './metrics.ts';
import { operatingPoints, type Scores } from './operating-points.ts';

/** The range that holds the middle `confidence` of the resampled values. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

export type MetricIntervals = { readonly [metric in keyof Metrics]: Interval };

export interface BootstrapOptions extends MetricOptions {
  /** How many times both sets are resampled; 1,000 where nothing is said. */
  readonly resamples?: number;
  /** Share of the resampled values within the interval; 0.95 where nothing is said. */
  readonly confidence?: number;
  /** Seed of the resampling; 0 where nothing is said. */
  readonly seed?: number;
}

/**
 * Percentile bootstrap intervals (Efron 1979) of all metrics. InD and OOD samples are drawn separately, each as many
 * as there are, so that the share InD : OOD stays what it was. The interval covers the choice of test images only,
 * not the training of the backbone or the detectors.
 *
 * @example
 * ```ts
 * import { bootstrapIntervals } from 'la-ood/methods';
 *
 * const { auroc } = bootstrapIntervals(Float64Array.of(0.1, 0.2, 0.4), Float64Array.of(0.3, 0.9));
 * console.log(auroc);
 * ```
 */
export function bootstrapIntervals(
  indScores: Scores,
  oodScores: Scores,
  options: BootstrapOptions = {},
): MetricIntervals {
  const { resamples = 1000, confidence = 0.95, seed = 0, compat } = options;
  const { falsePositives, truePositives } = operatingPoints(indScores, oodScores);
  const points = falsePositives.length;
  const ind = firstReachedBy(falsePositives);
  const ood = firstReachedBy(truePositives);
  const random = new RandomState(seed);
  const values = Array.from({ length: resamples }, () =>
    metricsOf(
      { falsePositives: resample(ind, points, random), truePositives: resample(ood, points, random) },
      { compat },
    ),
  );
  const interval = (metric: keyof Metrics): Interval => {
    const ascending = Float64Array.from(values, (value) => value[metric]).sort();
    return {
      low: quantile(ascending, (1 - confidence) / 2),
      high: quantile(ascending, (1 + confidence) / 2),
    };
  };
  return {
    fprAt95Tpr: interval('fprAt95Tpr'),
    fprAt95TprIndPositive: interval('fprAt95TprIndPositive'),
    auroc: interval('auroc'),
    auprOut: interval('auprOut'),
    auprIn: interval('auprIn'),
  };
}

/**
 * Draws as many samples as there are, with replacement, and counts them at each threshold. The threshold that a sample
 * is the first to reach stays the same, so nothing is sorted again.
 *
 * @param firstReached for each sample, the point at which it is counted first
 * @param points number of points
 */
function resample(firstReached: Uint32Array, points: number, random: RandomState): Float64Array {
  const reached = new Float64Array(points);
  const samples = firstReached.length;
  for (let i = 0; i < samples; i++) reached[firstReached[random.integer(samples - 1)]]++;
  for (let point = 1; point < points; point++) reached[point] += reached[point - 1];
  return reached;
}

function firstReachedBy(reached: Float64Array): Uint32Array {
  const first = new Uint32Array(reached[reached.length - 1]);
  for (let point = 1; point < reached.length; point++) first.fill(point, reached[point - 1], reached[point]);
  return first;
}

/** Linear interpolation between order statistics, as `numpy.quantile`. */
export function quantile(ascending: Scores, share: number): number {
  const position = share * (ascending.length - 1);
  const below = Math.floor(position);
  const above = Math.ceil(position);
  return ascending[below] + (position - below) * (ascending[above] - ascending[below]);
}
