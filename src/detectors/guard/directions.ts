import { inverseCholesky } from '../../common/cholesky.ts';
import { DetectorError } from '../../common/errors.ts';
import type { NodeScope } from '../../graph/node-scope.ts';
import { Matrices } from '../algebra/matrices.ts';
import { groupTaps } from '../layer-detectors.ts';
import { addCentered } from '../methods/operators.ts';

/** What corruption directions are fitted on: features of early taps, side by side. */
export interface DirectionTraining {
  /** Channels of each tap: so many means over positions, followed by as many deviations. */
  readonly channels: readonly number[];
  /** Of training images, n × 2 · channels of all taps, row-major. */
  readonly images: Float32Array;
  /** Of some training images as they are, m × the same. */
  readonly unchanged: Float32Array;
  /** Of the same images by each change. */
  readonly changed: readonly Float32Array[];
  /** The float error of each feature, as measured; a feature that varies by no more than a thousand times of it is left out. */
  readonly errors?: ArrayLike<number>;
}

/** The directions in which changes of images shift features. */
export interface Directions {
  readonly width: number;
  /** Subtracted from features first. */
  readonly center: Float64Array;
  /** Features × directions, row-major. */
  readonly weights: Float64Array;
  /** The changes that have one, by number; a change that changes no feature has none. */
  readonly changes: readonly number[];
  /** Features that take part. */
  readonly kept: number;
}

/** Added to every variance, of 1: what does not vary by itself would count without bound. */
const RIDGE = 1e-3;

/** A feature must vary by so many times its float error, or a rounding difference would be a deviation. */
const ERRORS = 1000;

/** A feature must vary by this share of its root mean square. */
const LEAST_VARIATION = 1e-3;

/** A change that shifts no feature by this many of its deviations is none. */
const LEAST_SHIFT = 1e-6;

/** Rows multiplied at once. */
const BLOCK = 2048;

/**
 * Fisher's linear discriminant between images as they are and the same images changed, w = C⁻¹(μ′ − μ), of the covariance C of
 * the training images' standardised features, for each group of neighbouring taps (up to 128 channels), scaled to unit
 * variance. The groups' projections are added up.
 *
 * Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics, 1936. Cost: a product of the features with
 * a column for each change.
 *
 * @throws DetectorError where a feature is not finite, or none varies
 */
export async function fitDirections(training: DirectionTraining): Promise<Directions> {
  const { channels, images, unchanged, changed, errors } = training;
  const width = 2 * channels.reduce((sum, own) => sum + own, 0);
  for (const values of [images, unchanged, ...changed])
    if (!values.every(Number.isFinite))
      throw new DetectorError(
        'early layers',
        'a feature is not a finite number',
        'look for images or weights that are not finite',
      );
  const { mean, deviation } = momentsOf(images, width);
  const varies = Array.from(
    deviation,
    (own, j) => own > Math.max(ERRORS * (errors?.[j] ?? 0), LEAST_VARIATION * Math.hypot(mean[j], own)),
  );
  const kept = varies.filter(Boolean).length;
  if (kept === 0) throw new DetectorError('early layers', 'are the same for all training images');
  const center = momentsOf(unchanged, width).mean;
  const shifts = changed.map((values) =>
    momentsOf(values, width).mean.map((own, j) => (varies[j] ? (own - center[j]) / deviation[j] : 0)),
  );
  const changes = [...shifts.keys()].filter((c) => shifts[c].some((shift) => Math.abs(shift) > LEAST_SHIFT));

  const weights = new Float64Array(width * changes.length);
  const matrices = new Matrices();
  for (const group of groupTaps(channels)) {
    const first = 2 * channels.slice(0, group[0]).reduce((sum, own) => sum + own, 0);
    const own = 2 * group.reduce((sum, tap) => sum + channels[tap], 0);
    const columns = Array.from({ length: own }, (_, j) => first + j).filter((j) => varies[j]);
    if (columns.length === 0) continue;
    const whitening = await whiteningOf(matrices, images, width, columns, mean, deviation);
    for (const [d, change] of changes.entries()) {
      const discriminant = discriminantOf(
        whitening,
        columns.map((j) => shifts[change][j]),
      );
      columns.forEach((j, c) => {
        weights[j * changes.length + d] = discriminant[c] / deviation[j];
      });
    }
  }
  return { width, center: mean, weights, changes, kept };
}

/** Adds the projections on the directions, `[batch, directions]`, of features `[batch, width]`. */
export function addProjections(
  nodes: NodeScope,
  features: string,
  { width, center, weights, changes }: Directions,
): string {
  const centered = addCentered(nodes, features, center);
  return nodes.node(
    'MatMul',
    [centered, nodes.floats('weights', [width, changes.length], weights)],
    'projections',
  );
}

function momentsOf(values: Float32Array, width: number): { mean: Float64Array; deviation: Float64Array } {
  const count = values.length / width;
  const mean = new Float64Array(width);
  for (let at = 0; at < values.length; at += width)
    for (let j = 0; j < width; j++) mean[j] += values[at + j] / count;
  const variance = new Float64Array(width);
  for (let at = 0; at < values.length; at += width)
    for (let j = 0; j < width; j++) variance[j] += (values[at + j] - mean[j]) ** 2 / count;
  return { mean, deviation: variance.map(Math.sqrt) };
}

/** L⁻¹ of the covariance L Lᵀ of some columns, standardised. */
async function whiteningOf(
  matrices: Matrices,
  images: Float32Array,
  width: number,
  columns: readonly number[],
  mean: Float64Array,
  deviation: Float64Array,
): Promise<Float64Array> {
  const own = columns.length;
  const count = images.length / width;
  const covariance = new Float64Array(own * own);
  for (let start = 0; start < count; start += BLOCK) {
    const rows = Math.min(BLOCK, count - start);
    const block = new Float64Array(rows * own);
    for (let i = 0; i < rows; i++)
      columns.forEach((j, c) => {
        block[i * own + c] = (images[(start + i) * width + j] - mean[j]) / deviation[j];
      });
    const products = await matrices.scatter(block, own);
    for (let i = 0; i < covariance.length; i++) covariance[i] += products[i] / count;
  }
  for (let c = 0; c < own; c++) covariance[c * own + c] += RIDGE;
  const whitening = inverseCholesky(covariance, own);
  if (!whitening)
    throw new DetectorError('early layers', 'the covariance of their features cannot be inverted');
  return whitening;
}

/**
 * Of the covariance C = L Lᵀ and a difference d of means: C⁻¹d / √(dᵀC⁻¹d); zeros where there is no difference.
 *
 * @param whitening L⁻¹, lower triangular, row-major
 */
function discriminantOf(whitening: Float64Array, difference: readonly number[]): Float64Array {
  const width = difference.length;
  const white = Float64Array.from(difference, (_, i) => {
    let sum = 0;
    for (let j = 0; j <= i; j++) sum += whitening[i * width + j] * difference[j];
    return sum;
  });
  const length = Math.sqrt(white.reduce((sum, value) => sum + value * value, 0)) || 1;
  return Float64Array.from(difference, (_, j) => {
    let sum = 0;
    for (let i = j; i < width; i++) sum += whitening[i * width + j] * white[i];
    return sum / length;
  });
}
