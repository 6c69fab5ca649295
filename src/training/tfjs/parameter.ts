import type { Tensor as TfTensor } from '@tensorflow/tfjs-core';
import { type Tensor, toFloat32 } from '../../common/tensor.ts';
import type { TensorFlow } from './backend.ts';

/**
 * How an initializer lies in the engine: seen in the shape `view`, with its axes in the order `order`, and then in the
 * shape `shape`.
 */
export interface WeightLayout {
  readonly view: readonly number[];
  readonly order: readonly number[];
  readonly shape: readonly number[];
}

/** An initializer of the graph that training changes: a weight, or a running statistic. */
export class Parameter {
  readonly name: string;
  readonly layout: WeightLayout;
  readonly #tf: TensorFlow;
  #value: TfTensor;

  /** @param layout as in the ONNX graph where absent */
  constructor(tf: TensorFlow, name: string, tensor: Tensor, layout?: WeightLayout) {
    const { shape } = tensor;
    this.name = name;
    this.layout = layout ?? { view: shape, order: [...shape.keys()], shape };
    this.#tf = tf;
    this.#value = this.arrange(toFloat32(tensor));
  }

  /** In the engine's layout. It belongs to this parameter, and is gone after the next `assign`. */
  get value(): TfTensor {
    return this.#value;
  }

  /** Takes over a tensor of the same shape. */
  assign(value: TfTensor): void {
    this.#tf.keep(value);
    this.#value.dispose();
    this.#value = value;
  }

  /** The values, or others in their layout (a gradient), in the order of the ONNX graph. */
  read(tensor = this.#value): Float32Array {
    const { view, order } = this.layout;
    const back = order.map((_, axis) => order.indexOf(axis));
    return this.#tf.tidy(() => {
      const sizes = order.map((axis) => view[axis]);
      const values = this.#tf.transpose(this.#tf.reshape(tensor, sizes), back);
      return values.dataSync<'float32'>().slice();
    });
  }

  /** Values in the order of the ONNX graph, in the engine's layout. The caller owns the tensor. */
  arrange(values: Float32Array): TfTensor {
    const { view, order, shape } = this.layout;
    return this.#tf.tidy(() => {
      // A copy: the node backend reads the array when the tensor is first used.
      const tensor = this.#tf.tensor(values.slice(), [...view], 'float32');
      return this.#tf.keep(this.#tf.reshape(this.#tf.transpose(tensor, [...order]), [...shape]));
    });
  }

  dispose(): void {
    this.#value.dispose();
  }
}
