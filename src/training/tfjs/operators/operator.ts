import type { Tensor as TfTensor } from '@tensorflow/tfjs-core';
import type { GraphError } from '../../../common/errors.ts';
import type { RandomState } from '../../../common/random.ts';
import type { Tensor } from '../../../common/tensor.ts';
import type { NodeProto } from '../../../graph/onnx.ts';
import type { TensorFlow } from '../backend.ts';
import type { Kernels } from '../node-kernels.ts';
import type { Parameter, WeightLayout } from '../parameter.ts';

/**
 * An ONNX operator: reads a node's attributes and constants once, and gives what computes it. Values of four dimensions
 * are N×H×W×C here; in the node they are N×C×H×W.
 *
 * @throws GraphError where the node asks for something that training does not know
 */
export type Operator = (node: Node) => Layer;

/** A node of the graph, as an operator sees it. */
export interface Node {
  readonly proto: NodeProto;
  readonly tf: TensorFlow;
  /** Inputs that are there; optional ones at the end may be left out. */
  readonly inputCount: number;
  /** Sizes of input `index` without the batch, in ONNX's order: `[C, H, W]` or `[features]`. */
  inputShape(index: number): readonly number[];
  /** The same of the node's output. */
  outputShape(): readonly number[];
  /** An input that is an initializer or the output of a Constant node, cast or not; undefined where it is computed or left out. */
  constant(index: number): Tensor | undefined;
  /**
   * The same of an input that says how the operator works; undefined where it is left out.
   *
   * @throws GraphError where it is computed
   */
  setting(index: number): Tensor | undefined;
  /** All sizes of an initializer. */
  weightShape(index: number): readonly number[];
  /** An initializer that is trained. */
  weight(index: number, layout?: WeightLayout): Parameter;
  /** An initializer that is not trained, but follows the training. */
  statistic(index: number): Parameter;
  /** Where an input was flattened from `[C, H, W]` and lies in the order H, W, C: these sizes. */
  flattenedFrom(index: number): readonly number[] | undefined;
  /** Whether the features of the node's output may lie in the order H, W, C. */
  mayReorderFeatures(): boolean;
  unsupported(what: string): GraphError;
}

/** Computes a node. */
export interface Layer {
  /** Which inputs of the node are values that are computed; `forward` gets them in this order. */
  readonly inputs: readonly number[];
  /** Where the output lies flattened in the order H, W, C: the sizes `[C, H, W]`. */
  readonly flattenedFrom?: readonly number[];
  /** Called within `tf.tidy`. */
  forward(run: Run, ...inputs: TfTensor[]): Step;
}

/** A layer, computed once. */
export interface Step {
  /** A tensor of its own; never one of the inputs. */
  readonly output: TfTensor;
  /** What `backward` needs, inputs and output included. */
  readonly saved?: readonly TfTensor[];
  /**
   * Called within `tf.tidy`.
   *
   * @param dy gradient of the output
   * @param gradients takes those of the weights
   * @param wanted which inputs need a gradient
   * @returns gradients of the inputs; a tensor may be `dy` itself
   */
  backward(
    dy: TfTensor,
    gradients: WeightGradients,
    wanted: readonly boolean[],
  ): readonly (TfTensor | undefined)[];
}

/** How a graph is run. */
export interface Run {
  readonly kernels: Kernels;
  /** Where dropout draws from; without it nothing is dropped. */
  readonly random?: RandomState;
}

/** Takes the gradients of weights; those of a weight that is used twice are added. */
export interface WeightGradients {
  add(weight: Parameter, gradient: TfTensor): void;
}
