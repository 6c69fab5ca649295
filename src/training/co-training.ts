import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import type { LayerDetector } from '../detectors/fit-layer.ts';
import type { StandardScaler } from '../detectors/standard-scaler.ts';
import type { TensorFlow } from './backend.ts';
import { classification, type Objective } from './objective.ts';
import type { Pass, TrainableGraph } from './trainable-graph.ts';

/** Layers drawn a step where there are more than `ALL_UP_TO`: VGG16's 13 are all taken, as in the original. */
const DRAWN = 10;
const ALL_UP_TO = 13;

export interface CoTrainingOptions {
  /** Weight of the detectors' part of the loss. */
  readonly lambda: number;
  /** Detectors to draw from: the first so many; all where absent. */
  readonly drawFrom?: number;
  /** Mean and scale of each layer's pooled features, asked for at the start of every epoch. */
  scalers(epoch: number): Promise<readonly StandardScaler[]>;
}

/**
 * LA-OOD's co-training: cross-entropy − λ D / (2 L), where D sums α_j K(z, sv_j) over the L chosen layers, the batch's
 * images and each layer's support vectors; z is the standardised pooled feature. The detectors stay as they are.
 * Source: Wang et al. 2022, and the original's `ood_regularizer`.
 *
 * @param detectors their taps are among the values that the graph exposes
 */
export function coTraining(
  graph: TrainableGraph,
  detectors: readonly LayerDetector[],
  { lambda, drawFrom = detectors.length, scalers }: CoTrainingOptions,
): Objective {
  const classify = classification(graph);
  const densities = detectors.map((detector) => new Density(graph.tf, detector));
  let current: readonly StandardScaler[] = [];
  return {
    async beginEpoch(epoch) {
      current = await scalers(epoch);
    },
    judge(pass, labels, random) {
      const { loss, correct, gradients } = classify.judge(pass, labels, random);
      const chosen =
        detectors.length <= ALL_UP_TO
          ? [...detectors.keys()]
          : [...random.permutation(drawFrom)].slice(0, DRAWN).sort((a, b) => a - b);
      const factor = -lambda / (2 * chosen.length);
      const all = new Map(gradients);
      let total = 0;
      for (const l of chosen) {
        const { sum, gradient } = densities[l].at(pass, current[l], factor);
        total += sum;
        const { tap } = detectors[l];
        const known = all.get(tap);
        all.set(tap, known ? graph.tf.add(known, gradient) : gradient);
        if (known) for (const part of [known, gradient]) part.dispose();
      }
      return { loss: loss + factor * total, correct, gradients: all };
    },
  };
}

/** Σ_j α_j exp(−γ |z − sv_j|²) of one detector. */
class Density {
  readonly #tf: TensorFlow;
  readonly #tap: string;
  readonly #gamma: number;
  readonly #vectors: Tensor2D;
  /** |sv_j|², a row. */
  readonly #squares: Tensor;
  /** α_j, a row. */
  readonly #alpha: Tensor;

  constructor(tf: TensorFlow, { tap, width, gamma, supportVectors, alpha }: LayerDetector) {
    this.#tf = tf;
    this.#tap = tap;
    this.#gamma = gamma;
    const count = alpha.length;
    this.#vectors = tf.tensor2d(supportVectors.slice(), [count, width]);
    this.#squares = tf.tidy(() => tf.reshape(tf.sum(tf.square(this.#vectors), 1), [1, count]));
    this.#alpha = tf.tensor2d(alpha.slice(), [1, count]);
  }

  /** Its sum over the batch, and the gradient of `factor` times that with respect to the tapped value. */
  at(pass: Pass, scaler: StandardScaler, factor: number): { sum: number; gradient: Tensor } {
    const tf = this.#tf;
    const value = pass.value(this.#tap);
    const [gradient, sum] = tf.tidy(() => {
      const scale = tf.tensor1d(Float32Array.from(scaler.scale));
      const z = tf.div(
        tf.sub(pooled(tf, value), tf.tensor1d(Float32Array.from(scaler.mean))),
        scale,
      ) as Tensor2D;
      const products = tf.matMul(z, this.#vectors, false, true);
      const distances = tf.sub(tf.add(tf.sum(tf.square(z), 1, true), this.#squares), tf.mul(products, 2));
      const weighted = tf.mul(tf.exp(tf.mul(distances, -this.#gamma)), this.#alpha) as Tensor2D;
      // d/dz = −2γ Σ_j α_j K_j (z − sv_j)
      const pull = tf.sub(tf.mul(z, tf.sum(weighted, 1, true)), tf.matMul(weighted, this.#vectors));
      const ofPooled = tf.div(tf.mul(pull, -2 * this.#gamma * factor), scale);
      return [spread(tf, ofPooled, value.shape), tf.sum(weighted)];
    });
    const [total] = sum.dataSync();
    sum.dispose();
    return { sum: total, gradient };
  }
}

/** The mean over H and W of a value of four dimensions; one of two as it is. */
export function pooled(tf: TensorFlow, value: Tensor): Tensor {
  return value.rank === 4 ? tf.mean(value, [1, 2]) : value;
}

/** The gradient of a value from that of its mean over H and W. */
function spread(tf: TensorFlow, gradient: Tensor, shape: readonly number[]): Tensor {
  if (shape.length !== 4) return gradient;
  const [batch, height, width, channels] = shape;
  const each = tf.reshape(tf.div(gradient, height * width), [batch, 1, 1, channels]);
  return tf.tile(each, [1, height, width, 1]);
}
