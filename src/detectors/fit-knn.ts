import { RandomState } from '../common/random.ts';
import {
  addDistanceScores,
  addDistancesTo,
  addLogarithm,
  type TapDetector,
  type WidthGroup,
} from './distance-scores.ts';
import type { DetectorFitter } from './layer-detectors.ts';
import { fitFiniteScaler, standardize } from './standard-scaler.ts';

/** InD samples to measure distances from. */
interface Neighborhood extends TapDetector {
  /** Standardised: samples × width, row-major. */
  readonly samples: Float32Array;
}

/** InD samples that are kept: all of them would make the guarded file as large as the training set. */
const SAMPLES = 1000;

/** Which neighbour's distance counts. */
const K = 5;

/** Seed of the choice of samples. */
const SEED = 0;

/**
 * Nearest neighbours in each group: the score is the logarithm of the squared distance from the k-th nearest of some InD
 * samples (Sun, Ming, Zhu and Li, "Out-of-distribution detection with deep nearest neighbors", ICML 2022, who take a
 * share of the samples too; here in standardised pooled features of every layer, not in normalised ones of the last).
 */
export const fitKnn: DetectorFitter = async (groups) => {
  const detectors: Neighborhood[] = [];
  for await (const { taps, features, width, ...group } of groups) {
    const scaler = fitFiniteScaler({ taps, features, width, ...group });
    const order = new RandomState(SEED).permutation(features.length / width);
    const samples = Float32Array.from(standardize(scaler, features, order.subarray(0, SAMPLES)));
    detectors.push({ taps, scaler, samples });
  }
  return {
    groups: detectors.map(({ taps }) => taps),
    addScores: (graph, which, name) =>
      addDistanceScores(
        graph,
        which.map((d) => detectors[d]),
        name,
        (same) => {
          const distances = addDistancesTo(same, ownFeatures(same), ({ samples }) => samples);
          const k = Math.min(K, same.detectors[0].samples.length / same.detectors[0].scaler.mean.length);
          const { nodes } = same;
          const smallest = [distances, nodes.int64s('k', [k])];
          const [nearest] = nodes.nodes('TopK', smallest, ['nearest', 'nearest_at'], { largest: 0 });
          const kth = nodes.node('Gather', [nearest, nodes.int64s('last', [k - 1])], 'kth', { axis: 2 });
          // Rounding may take a distance of nearly 0 below it.
          return addLogarithm(same, nodes.node('Relu', [kth], 'distance'));
        },
      ),
  };
};

/** Features with zeros where they are not the detector's own but fill up the width. */
function ownFeatures({ detectors, width, features, nodes }: WidthGroup<Neighborhood>): string {
  const mask = new Float32Array(detectors.length * width);
  detectors.forEach(({ scaler }, d) => {
    mask.fill(1, d * width, d * width + scaler.mean.length);
  });
  return nodes.node('Mul', [features, nodes.floats('mask', [detectors.length, 1, width], mask)], 'own');
}
