import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import type { TensorFlow } from './backend.ts';

/** What of TensorFlow.js's node backend is used beyond its public interface. */
interface NodeBackend {
  readonly binding: Readonly<Record<string, number>>;
  executeMultipleOutputs(
    name: string,
    attributes: readonly OpAttribute[],
    inputs: readonly Tensor[],
    count: number,
  ): Tensor[];
}

interface OpAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** A batch normalised by its own statistics. */
export interface NormalizedBatch {
  readonly y: Tensor4D;
  readonly mean: Tensor;
  /** Divided by n − 1, as the running variance wants it. */
  readonly variance: Tensor;
  /** What `batchNormGradients` needs besides the input and the scale. */
  readonly saved: readonly Tensor[];
}

/**
 * The steps for which TensorFlow has one kernel where TensorFlow.js puts several together. All of NHWC tensors.
 */
export interface Kernels {
  batchNorm(x: Tensor4D, scale: Tensor, offset: Tensor, epsilon: number): NormalizedBatch;
  /** Gradients of input, scale and offset. */
  batchNormGradients(
    dy: Tensor4D,
    x: Tensor4D,
    scale: Tensor,
    saved: readonly Tensor[],
    epsilon: number,
  ): Tensor[];
  /** @param y what the ReLU gave */
  reluGradient(dy: Tensor, y: Tensor): Tensor;
  /** The sum over all axes but the last. */
  biasGradient(dy: Tensor): Tensor;
}

export function kernelsOf(tf: TensorFlow): Kernels {
  const backend = tf.backend() as unknown as NodeBackend;
  const { TF_ATTR_TYPE, TF_ATTR_FLOAT, TF_ATTR_STRING, TF_ATTR_BOOL, TF_FLOAT } = backend.binding;
  const T: OpAttribute = { name: 'T', type: TF_ATTR_TYPE, value: TF_FLOAT };
  const dataFormat: OpAttribute = { name: 'data_format', type: TF_ATTR_STRING, value: 'NHWC' };
  const normalization = (epsilon: number): OpAttribute[] => [
    T,
    { name: 'U', type: TF_ATTR_TYPE, value: TF_FLOAT },
    { name: 'epsilon', type: TF_ATTR_FLOAT, value: epsilon },
    { name: 'is_training', type: TF_ATTR_BOOL, value: true },
    dataFormat,
  ];
  const run: NodeBackend['executeMultipleOutputs'] = (...call) => backend.executeMultipleOutputs(...call);

  return {
    batchNorm(x, scale, offset, epsilon) {
      // With batch statistics, the kernel wants no running ones.
      const none = tf.tensor1d([], 'float32');
      const inputs = [x, scale, offset, none, none];
      const [y, mean, variance, ...saved] = run('FusedBatchNormV3', normalization(epsilon), inputs, 6);
      return { y: y as Tensor4D, mean, variance, saved };
    },
    batchNormGradients(dy, x, scale, saved, epsilon) {
      const inputs = [dy, x, scale, ...saved];
      return run('FusedBatchNormGradV3', normalization(epsilon), inputs, 5).slice(0, 3);
    },
    reluGradient: (dy, y) => run('ReluGrad', [T], [dy, y], 1)[0],
    biasGradient: (dy) => run('BiasAddGrad', [T, dataFormat], [dy], 1)[0],
  };
}
