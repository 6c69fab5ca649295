import { DetectorError } from '../common/errors.ts';
import type { Tensor } from '../common/tensor.ts';
import { CovarianceFitter } from './covariance.ts';
import { type AddNode, addStandardised, type Watched } from './distance-scores.ts';
import { groupLabel, type LayerDetectors, type TapGroup } from './layer-detectors.ts';
import { fitFiniteScaler, type StandardScaler } from './standard-scaler.ts';

/** What linear probes are fitted on: features of InD samples, and of corrupted ones. */
export interface ProbedGroup extends TapGroup {
  /** Of each corruption, m × width, row-major. */
  readonly corrupted: readonly Float32Array[];
}

/** A group of taps, and the direction in which each corruption shifts it. */
interface Directions extends Watched {
  /** Of each corruption, in standardised features. */
  readonly weights: readonly Float64Array[];
}

/**
 * A linear probe for each corruption: it looks in the direction in which InD samples are shifted by it, Fisher's
 * discriminant C⁻¹(μ′ − μ) of each group, of the InD covariance C and the means μ of InD and μ′ of corrupted samples, scaled
 * to unit variance. Its score is how far a sample is from the mean along the groups' sum, on either side: a darker image
 * is where brighter ones are, but beyond the mean.
 *
 * In one direction much is heard that is drowned where every direction counts. A slightly blurred image is nearer to the
 * mean than most InD images.
 *
 * @throws DetectorError where a feature is not finite, or the features have no distribution to speak of
 */
export async function fitProbes(
  groups: AsyncIterable<ProbedGroup>,
  /** The corruptions, in words. */
  names: readonly string[],
  /** Threads of one matrix product. */
  threads: number,
): Promise<LayerDetectors> {
  const covariances = await CovarianceFitter.open(threads);
  const directions: Directions[] = [];
  for await (const group of groups) {
    const scaler = fitFiniteScaler(group);
    const whitening = await covariances.whitening(group, scaler);
    const weights = group.corrupted.map((samples) => {
      const shift = standardisedMean(scaler, samples);
      if (shift.every(Number.isFinite)) return discriminant(whitening, shift);
      throw new DetectorError(
        groupLabel(group.taps),
        'a feature of a corrupted image is not a finite number',
      );
    });
    directions.push({ taps: group.taps, scaler, weights });
  }
  const taps = directions.flatMap((group) => group.taps);
  return {
    groups: names.map(() => taps),
    names,
    addScores(graph, which, name) {
      const node: AddNode = (opType, inputs, word, attributes = {}) =>
        graph.node(opType, inputs, { name: `${name}/${word}`, attributes: { ...attributes } });
      const constant = (word: string, tensor: Tensor) => graph.initializer(`${name}/${word}`, tensor);
      const z = addStandardised(directions, node, constant);
      const rows = directions.flatMap(({ weights, scaler }) =>
        Array.from(scaler.mean, (_, j) => which.map((probe) => weights[probe][j])),
      );
      const data = Float32Array.from(rows.flat());
      const shape = [rows.length, which.length];
      const along = node('MatMul', [z, constant('weights', { dtype: 'float32', shape, data })], 'along');
      graph.node('Abs', [along], { name });
    },
  };
}

/** The mean of samples, n × width, as standardised features. */
function standardisedMean({ mean, scale }: StandardScaler, samples: Float32Array): Float64Array {
  const width = mean.length;
  const count = samples.length / width;
  const sums = new Float64Array(width);
  samples.forEach((value, at) => {
    sums[at % width] += value - mean[at % width];
  });
  return sums.map((sum, j) => sum / count / scale[j]);
}

/** Standard deviations between two means that rounding alone may part. */
const NEGLIGIBLE = 1e-6;

/**
 * Of the covariance C = L Lᵀ and the difference d of two means: C⁻¹d / √(dᵀC⁻¹d), whose product with samples has variance 1;
 * zeros where there is no difference.
 *
 * @param whitening L⁻¹, lower triangular, row-major
 */
function discriminant(whitening: Float32Array, difference: Float64Array): Float64Array {
  const width = difference.length;
  const white = difference.map((_, i) => {
    let sum = 0;
    for (let j = 0; j <= i; j++) sum += whitening[i * width + j] * difference[j];
    return sum;
  });
  const length = Math.sqrt(white.reduce((sum, value) => sum + value * value, 0));
  if (length < NEGLIGIBLE) return new Float64Array(width);
  return difference.map((_, j) => {
    let sum = 0;
    for (let i = j; i < width; i++) sum += whitening[i * width + j] * white[i];
    return sum / length;
  });
}
