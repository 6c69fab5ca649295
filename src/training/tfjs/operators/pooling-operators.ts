import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import { intAttribute, intsAttribute } from '../../../graph/attributes.ts';
import type { Layer, Node, Operator } from './operator.ts';
import { isZero, pad2d, padsOf, unpad2d } from './padding-operators.ts';

/** MaxPool, AveragePool, and the means over H and W. */

export const maxPool: Operator = (node) => {
  const { tf, proto } = node;
  const { filterSize, strides, pads } = windowOf(node);
  if ((intsAttribute(proto, 'dilations') ?? []).some((dilation) => dilation > 1))
    throw node.unsupported('dilated pooling');
  const attributes = { filterSize, strides, pad: 'valid', dimRoundingMode: undefined };
  const kernel = (name: string, inputs: Record<string, Tensor>) =>
    tf.engine().runKernel(name, inputs, attributes as never) as Tensor4D;
  return {
    inputs: [0],
    forward(_run, value) {
      // Lower than anything that a float32 network yields.
      const input = pad2d(tf, value as Tensor4D, pads, -3e38);
      const output = kernel('MaxPool', { x: input });
      return {
        output,
        saved: [input, output],
        backward(dy) {
          const dx = kernel('MaxPoolGrad', { dy, input, output });
          return [isZero(pads) ? dx : unpad2d(tf, dx, pads, value.shape)];
        },
      };
    },
  };
};

export const averagePool: Operator = (node) => {
  const { tf, proto } = node;
  const { filterSize, strides, pads } = windowOf(node);
  if (intAttribute(proto, 'ceil_mode')) throw node.unsupported('ceil_mode of an average');
  const attributes = { filterSize, strides, pad: 'valid', dimRoundingMode: undefined };
  const pool = (x: Tensor4D) =>
    tf.engine().runKernel('AvgPool', { x }, attributes as never) as unknown as Tensor4D;
  const leavesPaddingOut = !isZero(pads) && !intAttribute(proto, 'count_include_pad');
  const [, height, width] = node.inputShape(0);
  /** Where padding does not count: by how much the mean over the whole window is too small. */
  const share = leavesPaddingOut ? () => pool(pad2d(tf, tf.ones([1, height, width, 1]), pads)) : undefined;
  return {
    inputs: [0],
    forward(_run, value) {
      const input = pad2d(tf, value as Tensor4D, pads);
      const mean = pool(input);
      return {
        output: share ? tf.div(mean, share()) : mean,
        saved: [input],
        backward(gradient) {
          const dy = share ? tf.div(gradient, share()) : gradient;
          const dx = tf
            .engine()
            .runKernel('AvgPoolGrad', { dy, input }, attributes as never) as unknown as Tensor4D;
          return [isZero(pads) ? dx : unpad2d(tf, dx, pads, value.shape)];
        },
      };
    },
  };
};

export const globalAveragePool: Operator = (node) => spatialMean(node, true);

/** ReduceMean, over H and W. */
export const reduceMean: Operator = (node) => {
  const { proto } = node;
  const constant = node.setting(1);
  const axes = constant ? Array.from(constant.data as BigInt64Array, Number) : intsAttribute(proto, 'axes');
  const rank = node.inputShape(0).length + 1;
  const spatial = axes?.map((axis) => (axis + rank) % rank).sort();
  if (rank !== 4 || `${spatial}` !== '2,3') throw node.unsupported('a mean over other axes than H and W');
  return spatialMean(node, (intAttribute(proto, 'keepdims') ?? 1) === 1);
};

function spatialMean({ tf }: Node, keepDims: boolean): Layer {
  return {
    inputs: [0],
    forward(_run, x) {
      const [batch, height, width, channels] = x.shape;
      return {
        output: tf.mean(x, [1, 2], keepDims),
        backward(dy) {
          const each = tf.div(tf.reshape(dy, [batch, 1, 1, channels]), height * width);
          return [tf.tile(each, [1, height, width, 1])];
        },
      };
    },
  };
}

function windowOf(node: Node) {
  const { proto } = node;
  const [, height, width] = node.inputShape(0);
  if (node.inputShape(0).length !== 3) throw node.unsupported('pooling in other than two dimensions');
  const filterSize = intsAttribute(proto, 'kernel_shape') as [number, number];
  const strides = (intsAttribute(proto, 'strides') ?? [1, 1]) as [number, number];
  const pads = padsOf(node, [height, width], filterSize, strides);
  if (intAttribute(proto, 'ceil_mode')) {
    // The last window may reach over the edge: as much more padding there.
    const [, ...output] = node.outputShape();
    const size = [height, width];
    for (const axis of [0, 1]) {
      const reach = (output[axis] - 1) * strides[axis] + filterSize[axis];
      pads[axis + 2] += Math.max(0, reach - size[axis] - pads[axis] - pads[axis + 2]);
    }
  }
  return { filterSize, strides, pads };
}
