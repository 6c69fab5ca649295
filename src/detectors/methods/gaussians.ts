import { DetectorError } from '../../common/errors.ts';
import type { NodeScope } from '../../graph/node-scope.ts';
import { inverseCholeskyOfLarge } from '../algebra/inverse-cholesky.ts';
import type { Precision } from '../algebra/scatter.ts';
import {
  type HeadMeans,
  headMeans,
  headRows,
  matrices,
  scatterBetween,
  scatterWithin,
} from './head-moments.ts';
import { addCentered } from './operators.ts';
import type { Training } from './training.ts';

/**
 * Gaussians of one covariance, each about a mean of its own, of head inputs.
 *
 * The covariance is the maximum-likelihood one, with 1e-9 of the mean variance added to each (which methods' codes do in other
 * measures: it matters only where features depend on each other). A feature that is the same in all training images is left
 * out. Where there are no more images than features (and class means), the covariance has no inverse: it is shrunk towards a
 * multiple of the identity, as much as Ledoit and Wolf say ("A well-conditioned estimator for large-dimensional covariance
 * matrices", Journal of Multivariate Analysis, 2004), and a note says so.
 */
export interface Gaussians {
  readonly width: number;
  /** Subtracted from features before anything else. */
  readonly center: Float64Array;
  /** L⁻¹ of the covariance L Lᵀ: width × width. */
  readonly whitening: Float64Array;
  /** L⁻¹ (mean − centre) of each: means × width. */
  readonly means: Float64Array;
  readonly notes: readonly string[];
}

/** Added to every variance, as a share of the mean variance. */
const RIDGE = 1e-9;

/** Sums in float32 are off by some 1e-7, and distances by as much times the variance inflation. */
const MOST_INFLATION = 100;

/** A deviation of this share of a feature's root mean square is rounding. */
const ROUNDING = 1e-6;

/** Whether the Gaussians are about class means or about the mean of all images, and of what. */
export interface GaussianOptions {
  readonly normalized: boolean;
  readonly about: 'class means' | 'mean';
  /** Whether the covariance is shrunk where it has an inverse, too. */
  readonly shrunk?: boolean;
}

/**
 * Fits Gaussians on the training images' head inputs. Classes without images have none.
 *
 * @throws DetectorError where no feature varies
 */
export function fitHeadGaussians(training: Training, options: GaussianOptions): Promise<Gaussians> {
  const { normalized, about, shrunk = false } = options;
  return training.shared(`gaussians ${normalized} ${about} ${shrunk}`, () => compute(training, options));
}

/** In float32 where that is enough: the more features depend on each other, the more of a distance is rounding. */
async function compute(training: Training, options: GaussianOptions): Promise<Gaussians> {
  const single = await fitIn('float32', training, options);
  const gaussians =
    single && single.inflation <= MOST_INFLATION ? single : await fitIn('float64', training, options);
  if (!gaussians) throw new DetectorError('head input', 'its covariance cannot be inverted');
  return gaussians;
}

/** @returns undefined where the covariance has no inverse in this precision */
async function fitIn(
  precision: Precision,
  training: Training,
  { normalized, about, shrunk }: GaussianOptions,
): Promise<(Gaussians & { inflation: number }) | undefined> {
  const means = await headMeans(training, { normalized });
  const { width, count, mean, classMeans, classCounts } = means;
  const within = await scatterWithin(training, { normalized }, precision);
  const between = await scatterBetween(training, { normalized });
  const present = about === 'mean' ? [] : [...classCounts.keys()].filter((k) => classCounts[k] > 0);
  const covariance = within.map((sum, at) => (about === 'mean' ? sum + between[at] : sum) / count);
  const varying = Array.from(mean, (value, j) =>
    isVarying((within[j * width + j] + between[j * width + j]) / count, value),
  );
  const kept = varying.filter(Boolean).length;
  if (kept === 0) throw new DetectorError('head input', 'is the same in all training images');

  const notes: string[] = [];
  const isSingular = count - Math.max(1, present.length) <= kept;
  if (shrunk || isSingular) {
    const share = shrinkage(training, means, covariance, { normalized, about });
    shrink(covariance, width, share, kept);
    notes.push(
      `${count} images for ${kept} features: the covariance is shrunk by ${share.toFixed(3)} (Ledoit and Wolf)`,
    );
  }
  let trace = 0;
  let rounding = 0;
  for (let j = 0; j < width; j++) {
    if (!varying[j]) continue;
    trace += covariance[j * width + j];
    rounding += ROUNDING ** 2 * ((within[j * width + j] + between[j * width + j]) / count + mean[j] ** 2);
  }
  if (!(trace > rounding))
    throw new DetectorError('head input', 'is the same in all training images of a class');
  for (let i = 0; i < width; i++)
    for (let j = 0; j < width; j++) {
      if (!varying[i] || !varying[j]) covariance[i * width + j] = i === j ? 1 : 0;
      else if (i === j) covariance[i * width + j] += (RIDGE * trace) / kept;
    }
  const whitening = await inverseCholeskyOfLarge(matrices(training), covariance, width);
  if (!whitening) return undefined;
  // What does not vary gets no part in any distance.
  for (let i = 0; i < width; i++)
    for (let j = 0; j < width; j++) if (!varying[i] || !varying[j]) whitening[i * width + j] = 0;

  const deviations = new Float64Array(Math.max(1, present.length) * width);
  present.forEach((k, row) => {
    for (let j = 0; j < width; j++) deviations[row * width + j] = classMeans[k * width + j] - mean[j];
  });
  const whitened = await matrices(training).timesTransposed(deviations, whitening, width);
  const inflation = largestInflation(covariance, whitening, width);
  return { width, center: mean, whitening, means: whitened, notes, inflation };
}

/** The largest variance inflation: a feature's variance over what is left of it when all others are known. */
function largestInflation(covariance: Float64Array, whitening: Float64Array, width: number): number {
  const precisions = new Float64Array(width);
  for (let i = 0; i < width; i++) for (let j = 0; j <= i; j++) precisions[j] += whitening[i * width + j] ** 2;
  return precisions.reduce((most, own, j) => Math.max(most, own * covariance[j * width + j]), 0);
}

/** Whether a feature of this variance varies by more than rounding, in float32. */
function isVarying(variance: number, mean: number): boolean {
  return variance > (1e-7 * mean) ** 2;
}

/** How much Ledoit and Wolf's estimator shrinks: scikit-learn's `ledoit_wolf_shrinkage` of the centred rows. */
function shrinkage(
  training: Training,
  { width, mean, classMeans }: HeadMeans,
  covariance: Float64Array,
  { normalized, about }: GaussianOptions,
): number {
  const { labels, count } = training;
  let fourth = 0;
  for (const { start, count: rows, values } of headRows(training, { normalized }))
    for (let row = 0; row < rows; row++) {
      const [centers, at] =
        about === 'mean' ? [mean, 0] : ([classMeans, labels[start + row] * width] as const);
      let square = 0;
      for (let j = 0; j < width; j++) square += (values[row * width + j] - centers[at + j]) ** 2;
      fourth += square * square;
    }
  let trace = 0;
  for (let j = 0; j < width; j++) trace += covariance[j * width + j];
  const norm = covariance.reduce((sum, value) => sum + value * value, 0);
  const beta = (fourth / count - norm) / count;
  const delta = norm - trace ** 2 / width;
  return delta > 0 ? Math.min(1, Math.max(0, beta / delta)) : 1;
}

function shrink(covariance: Float64Array, width: number, share: number, kept: number): void {
  let trace = 0;
  for (let j = 0; j < width; j++) trace += covariance[j * width + j];
  for (let i = 0; i < covariance.length; i++) covariance[i] *= 1 - share;
  for (let j = 0; j < width; j++) covariance[j * width + j] += (share * trace) / kept;
}

/**
 * Adds the squared Mahalanobis distance from the nearest mean, `[batch, 1]`. It is found by products, and computed anew: where
 * classes lie far apart, the products' rounding is not small against it.
 */
export function addNearestDistance(
  nodes: NodeScope,
  { width, center, whitening, means }: Gaussians,
  features: string,
): string {
  const count = means.length / width;
  const centered = addCentered(nodes, features, center);
  const rows = nodes.floats('whitening', [width, width], whitening);
  const whitened = nodes.node('Gemm', [centered, rows], 'whitened', { transB: 1 });
  if (count === 1 && means.every((value) => value === 0))
    return nodes.reduce('ReduceSumSquare', whitened, 1, 'distance');
  const points = nodes.floats('means', [count, width], means);
  const halves = Array.from({ length: count }, (_, k) => {
    let square = 0;
    for (let j = k * width; j < (k + 1) * width; j++) square += means[j] * means[j];
    return -square / 2;
  });
  const products = nodes.node(
    'Gemm',
    [whitened, points, nodes.floats('halves', [count], halves)],
    'products',
    {
      transB: 1,
    },
  );
  const nearest = nodes.node('ArgMax', [products], 'nearest', { axis: 1, keepdims: 0 });
  const mean = nodes.node('Gather', [points, nearest], 'nearest_mean', { axis: 0 });
  return nodes.reduce('ReduceSumSquare', nodes.node('Sub', [whitened, mean], 'difference'), 1, 'distance');
}
