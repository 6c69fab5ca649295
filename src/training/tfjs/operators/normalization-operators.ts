import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import { attribute } from '../../../graph/attributes.ts';
import type { Operator } from './operator.ts';

/**
 * BatchNormalization. By the batch's statistics the running ones move as in PyTorch: the variance that they follow is
 * divided by n − 1, the one that normalises by n. ONNX's momentum is the share of the old ones, PyTorch's that of the new.
 */
export const batchNormalization: Operator = (node) => {
  const { tf, proto } = node;
  const epsilon = attribute(proto, 'epsilon')?.f ?? 1e-5;
  const momentum = attribute(proto, 'momentum')?.f ?? 0.9;
  const [scale, offset] = [node.weight(1), node.weight(2)];
  const [runningMean, runningVariance] = [node.statistic(3), node.statistic(4)];
  // A flattened value is an image of one pixel.
  const asImage = (x: Tensor) =>
    (x.rank === 4 ? x : tf.reshape(x, [x.shape[0], 1, 1, x.shape[1]!])) as Tensor4D;
  return {
    inputs: [0],
    forward({ kernels }, input) {
      const x = asImage(input);
      const { y, mean, variance, saved } = kernels.batchNorm(x, scale.value, offset.value, epsilon);
      const moved = (old: Tensor, batch: Tensor) =>
        tf.add(tf.mul(old, momentum), tf.mul(batch, 1 - momentum));
      runningMean.assign(moved(runningMean.value, mean));
      runningVariance.assign(moved(runningVariance.value, variance));
      return {
        output: tf.reshape(y, input.shape),
        saved: [x, ...saved],
        backward(gradient, gradients) {
          const [dx, dScale, dOffset] = kernels.batchNormGradients(
            asImage(gradient),
            x,
            scale.value,
            saved,
            epsilon,
          );
          gradients.add(scale, dScale);
          gradients.add(offset, dOffset);
          return [tf.reshape(dx, input.shape)];
        },
      };
    },
  };
};
