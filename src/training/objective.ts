import type { RandomState } from '../common/random.ts';
import type { LayerSvm } from '../detectors/layer-svm.ts';
import type { StandardScaler } from '../detectors/standard-scaler.ts';
import type { ModelProto } from '../graph/onnx.ts';

/**
 * What a network is trained for: the mean cross-entropy of its first output, and where there are detectors, LA-OOD's
 * co-training loss: cross-entropy − λ D / (2 L), where D sums α_j K(z, sv_j) over the L chosen layers, the batch's images
 * and each layer's support vectors; z is the standardised pooled feature. The detectors stay as they are.
 * Source: Wang et al. 2022, and the original's `ood_regularizer`.
 */
export interface Objective {
  /** Share of each label that all classes have in equal parts; 0 where absent. */
  readonly labelSmoothing?: number;
  readonly coTraining?: CoTraining;
}

export interface CoTraining {
  /** Their taps are values of the graph. */
  readonly detectors: readonly LayerSvm[];
  /** Weight of the detectors' part of the loss. */
  readonly lambda: number;
  /** Detectors to draw from: the first so many; all where absent. */
  readonly drawFrom?: number;
  /** Mean and scale of each layer's pooled features in the network of this moment, asked for before every epoch. */
  scalers(epoch: number, model: ModelProto): Promise<readonly StandardScaler[]>;
}

/** Layers drawn a step where there are more than `ALL_UP_TO`: VGG16's 13 are all taken, as in the original. */
const DRAWN = 10;
const ALL_UP_TO = 13;

/** What each layer's density is multiplied by in the loss of one step: −λ / (2 L) for the chosen ones, else 0. */
export function layerFactors(
  { detectors, lambda, drawFrom = detectors.length }: CoTraining,
  random: RandomState,
): Float32Array {
  const chosen =
    detectors.length <= ALL_UP_TO ? [...detectors.keys()] : [...random.permutation(drawFrom)].slice(0, DRAWN);
  const factors = new Float32Array(detectors.length);
  for (const layer of chosen) factors[layer] = -lambda / (2 * chosen.length);
  return factors;
}
