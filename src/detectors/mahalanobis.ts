import { CovarianceFitter } from './covariance.ts';
import { addDistanceScores, addDistancesTo, addLogarithm } from './distance-scores.ts';
import type { FitLayerDetectors, TapGroup } from './layer-detectors.ts';
import { fitFiniteScaler, type StandardScaler, standardise } from './standard-scaler.ts';
import { addWhitened, type Whitened } from './whitened.ts';

/** Gaussians of one covariance, one for each class. */
interface ClassGaussians extends Whitened {
  /** The classes' means, whitened: classes × width, row-major. */
  readonly means: Float32Array;
}

/**
 * A Gaussian for each class in each group, with one covariance for all: the score is the logarithm of the squared
 * Mahalanobis distance from the nearest class (Lee, Lee, Lee and Shin, "A simple unified framework for detecting
 * out-of-distribution samples and adversarial attacks", NeurIPS 2018; without its input perturbation and its weights,
 * which are fitted on OOD samples). The classes are those that the classifier predicts, as labels may not be at hand.
 */
export const fitMahalanobis: FitLayerDetectors = async (groups, threads) => {
  const covariances = await CovarianceFitter.open(threads);
  const detectors: ClassGaussians[] = [];
  for await (const group of groups) {
    const scaler = fitFiniteScaler(group);
    const centres = classMeans(group, scaler);
    const whitening = await covariances.whitening(group, scaler, centres);
    const means = whiten(whitening, centres, group.width);
    detectors.push({ taps: group.taps, scaler, whitening, means });
  }
  return {
    groups: detectors.map(({ taps }) => taps),
    addScores: (graph, which, name) =>
      addDistanceScores(
        graph,
        which.map((d) => detectors[d]),
        name,
        (same) => {
          const distances = addDistancesTo(same, addWhitened(same), ({ means }) => means);
          // Rounding may take a distance of nearly 0 below it.
          const classAxis = graph.int64s(`${name}/class_axis_${same.width}`, [2]);
          const nearest = same.node('ReduceMin', [distances, classAxis], 'nearest');
          return addLogarithm(same, same.node('Relu', [nearest], 'distance'));
        },
      ),
  };
};

/** The mean of each class's standardised features, classes × width; the mean of all, 0, for a class without samples. */
function classMeans({ features, width, labels, classes }: TapGroup, scaler: StandardScaler): Float64Array {
  const sums = new Float64Array(classes * width);
  const counts = new Float64Array(classes);
  const z = standardise(scaler, features);
  labels.forEach((label, row) => {
    counts[label]++;
    for (let j = 0; j < width; j++) sums[label * width + j] += z[row * width + j];
  });
  return sums.map((sum, at) => sum / Math.max(1, counts[Math.floor(at / width)]));
}

function whiten(whitening: Float32Array, rows: Float64Array, width: number): Float32Array {
  return Float32Array.from(rows, (_, at) => {
    const [row, i] = [Math.floor(at / width), at % width];
    let sum = 0;
    for (let j = 0; j <= i; j++) sum += whitening[i * width + j] * rows[row * width + j];
    return sum;
  });
}
