import { DetectorError } from '../common/errors.ts';
import { groupLabel, type TapGroup } from './layer-detectors.ts';

/** Per-feature mean and scale; a feature is standardised as (x − mean) / scale. */
export interface StandardScaler {
  readonly mean: Float64Array;
  readonly scale: Float64Array;
}

/**
 * Fits scikit-learn's StandardScaler: population standard deviation, scale 1 for a feature that is constant up to
 * rounding (its `_is_constant_feature`).
 *
 * @param features n × width, row-major
 */
export function fitStandardScaler(features: Float32Array, width: number): StandardScaler {
  const count = features.length / width;
  const mean = new Float64Array(width);
  for (let at = 0; at < features.length; at += width)
    for (let j = 0; j < width; j++) mean[j] += features[at + j];
  for (let j = 0; j < width; j++) mean[j] /= count;
  // Two passes: the variance of large, nearly equal numbers would cancel in one.
  const variance = new Float64Array(width);
  for (let at = 0; at < features.length; at += width)
    for (let j = 0; j < width; j++) variance[j] += (features[at + j] - mean[j]) ** 2;
  const scale = variance.map((sum, j) => scaleOf(sum / count, mean[j], count));
  return { mean, scale };
}

/** The scaler of a group's features. @throws DetectorError where one is not finite */
export function fitFiniteScaler({ taps, features, width }: TapGroup): StandardScaler {
  if (!features.every(Number.isFinite))
    throw new DetectorError(groupLabel(taps), 'a feature is not a finite number');
  return fitStandardScaler(features, width);
}

/** The scale of a feature with this variance and mean over `count` samples. */
export function scaleOf(variance: number, mean: number, count: number): number {
  const rounding = count * Number.EPSILON * variance + (count * mean * Number.EPSILON) ** 2;
  return variance <= rounding ? 1 : Math.sqrt(variance);
}

/** Standardised features of the given rows, in their order; of all rows without `rows`. */
export function standardize(
  { mean, scale }: StandardScaler,
  features: Float32Array,
  rows?: Uint32Array,
): Float64Array {
  const width = mean.length;
  const count = rows ? rows.length : features.length / width;
  const standardized = new Float64Array(count * width);
  for (let i = 0; i < count; i++) {
    const from = (rows ? rows[i] : i) * width;
    for (let j = 0; j < width; j++) standardized[i * width + j] = (features[from + j] - mean[j]) / scale[j];
  }
  return standardized;
}
