import type { Tensor } from '@tensorflow/tfjs-core';
import type { SgdOptions } from '../engine.ts';
import type { TensorFlow } from './backend.ts';
import type { Parameter } from './parameter.ts';

/**
 * Stochastic gradient descent with momentum, as PyTorch formulates it: g += decay · w;
 * v = momentum · v + g; w −= rate · v, or with Nesterov's w −= rate · (g + momentum · v). Weight decay is for all weights, those
 * of batch normalisation and biases included.
 */
export class Sgd {
  readonly #tf: TensorFlow;
  readonly #options: SgdOptions;
  readonly #velocities = new Map<Parameter, Tensor>();

  constructor(tf: TensorFlow, weights: Iterable<Parameter>, options: SgdOptions) {
    this.#tf = tf;
    this.#options = options;
    for (const weight of weights)
      this.#velocities.set(weight, tf.keep(tf.tidy(() => tf.zerosLike(weight.value))));
  }

  /**
   * Moves the weights one step.
   *
   * @param gradients are disposed of
   */
  step(gradients: ReadonlyMap<Parameter, Tensor>, rate: number): void {
    const tf = this.#tf;
    const { momentum, weightDecay, clip, nesterov } = this.#options;
    const shrink = clip === undefined ? 1 : Math.min(1, clip / (this.#norm(gradients) + 1e-6));
    const [factor, decay, inertia, speed] = [shrink, weightDecay, momentum, rate].map((value) =>
      tf.scalar(value),
    );
    for (const [weight, gradient] of gradients) {
      const velocity = this.#velocities.get(weight)!;
      const [nextVelocity, nextValue] = tf.tidy(() => {
        const clipped = shrink === 1 ? gradient : tf.mul(gradient, factor);
        const decayed = weightDecay === 0 ? clipped : tf.add(clipped, tf.mul(weight.value, decay));
        const moved = tf.add(tf.mul(velocity, inertia), decayed);
        const direction = nesterov ? tf.add(decayed, tf.mul(moved, inertia)) : moved;
        return [moved, tf.sub(weight.value, tf.mul(direction, speed))];
      });
      weight.assign(nextValue);
      this.#velocities.set(weight, tf.keep(nextVelocity));
      for (const old of [velocity, gradient]) old.dispose();
    }
    for (const scalar of [factor, decay, inertia, speed]) scalar.dispose();
  }

  /** The velocity of each weight, by name, in the order of the ONNX graph. */
  state(): Map<string, Float32Array> {
    return new Map(
      Array.from(this.#velocities, ([weight, velocity]) => [weight.name, weight.read(velocity)]),
    );
  }

  /** Goes on from a `state`. */
  restore(state: ReadonlyMap<string, Float32Array>): void {
    for (const [weight, velocity] of this.#velocities) {
      this.#velocities.set(weight, weight.arrange(state.get(weight.name)!));
      velocity.dispose();
    }
  }

  dispose(): void {
    for (const velocity of this.#velocities.values()) velocity.dispose();
  }

  #norm(gradients: ReadonlyMap<Parameter, Tensor>): number {
    const squares = this.#tf.tidy(() =>
      this.#tf
        .stack([...gradients.values()].map((gradient) => this.#tf.sum(this.#tf.square(gradient))))
        .dataSync<'float32'>(),
    );
    return Math.sqrt(squares.reduce((sum, square) => sum + square, 0));
  }
}
