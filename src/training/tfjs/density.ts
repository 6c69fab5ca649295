import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import type { LayerSvm } from '../../detectors/layer-svm.ts';
import type { StandardScaler } from '../../detectors/standard-scaler.ts';
import type { TensorFlow } from './backend.ts';
import type { Pass } from './trainable-graph.ts';

/** Σ_j α_j exp(−γ |z − sv_j|²) of one detector. */
export class Density {
  readonly #tf: TensorFlow;
  readonly #tap: string;
  readonly #gamma: number;
  readonly #vectors: Tensor2D;
  /** |sv_j|², a row. */
  readonly #squares: Tensor;
  /** α_j, a row. */
  readonly #alpha: Tensor;

  constructor(tf: TensorFlow, { tap, width, gamma, supportVectors, alpha }: LayerSvm) {
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
function pooled(tf: TensorFlow, value: Tensor): Tensor {
  return value.rank === 4 ? tf.mean(value, [1, 2]) : value;
}

/** The gradient of a value from that of its mean over H and W. */
function spread(tf: TensorFlow, gradient: Tensor, shape: readonly number[]): Tensor {
  if (shape.length !== 4) return gradient;
  const [batch, height, width, channels] = shape;
  const each = tf.reshape(tf.div(gradient, height * width), [batch, 1, 1, channels]);
  return tf.tile(each, [1, height, width, 1]);
}
