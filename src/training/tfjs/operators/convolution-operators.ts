import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import { intAttribute, intsAttribute } from '../../../graph/attributes.ts';
import type { TensorFlow } from '../backend.ts';
import type { Layer, Node, Operator } from './operator.ts';
import { isZero, pad2d, padsOf, unpad2d } from './padding-operators.ts';

/** How a convolution with filters of H × W × inputs × outputs is computed; padding and strides are settled. */
interface Convolution {
  forward(x: Tensor4D, filter: Tensor4D): Tensor4D;
  inputGradient(dy: Tensor4D, filter: Tensor4D, shape: readonly number[]): Tensor4D;
  filterGradient(dy: Tensor4D, x: Tensor4D, shape: readonly number[]): Tensor4D;
}

type Padding = 'same' | 'valid';

/** Conv in two dimensions: strides, pads, dilations and groups. */
export const convolution: Operator = (node) => {
  const { proto, tf } = node;
  const [channels, height, width] = node.inputShape(0);
  if (node.inputShape(0).length !== 3) throw node.unsupported('convolution in other than two dimensions');
  const [outputs, , kernelHeight, kernelWidth] = node.weightShape(1);
  const groups = intAttribute(proto, 'group') ?? 1;
  const strides = (intsAttribute(proto, 'strides') ?? [1, 1]) as [number, number];
  const dilations = intsAttribute(proto, 'dilations') ?? [1, 1];
  const extent = [dilations[0] * (kernelHeight - 1) + 1, dilations[1] * (kernelWidth - 1) + 1];
  const pads = padsOf(node, [height, width], extent, strides);

  const depthwise = groups === channels && groups > 1;
  const filter = node.weight(1, depthwise ? depthwiseLayout(node, groups) : standardLayout(node));
  const bias = node.inputCount > 2 ? node.weight(2) : undefined;
  // What TensorFlow calls `same` is cheaper than padding first.
  const same = strides.every((stride) => stride === 1) && isSame(pads, extent);
  const before = same ? [0, 0, 0, 0] : pads;
  const padding: Padding = same ? 'same' : 'valid';
  const plain = depthwise
    ? depthwiseConvolution(tf, strides, padding)
    : groups > 1
      ? groupedConvolution(tf, standardConvolution(tf, strides, padding), groups, channels, outputs)
      : standardConvolution(tf, strides, padding);
  const computed = isDilated(dilations) ? dilatedConvolution(tf, plain, dilations) : plain;

  return {
    inputs: [0],
    forward({ kernels }, input) {
      const x = pad2d(tf, input as Tensor4D, before);
      const convolved = computed.forward(x, filter.value as Tensor4D);
      const output = bias ? tf.add(convolved, bias.value) : convolved;
      return {
        output,
        saved: [x],
        backward(gradient, gradients, [wanted]) {
          const dy = gradient as Tensor4D;
          gradients.add(filter, computed.filterGradient(dy, x, filter.value.shape));
          if (bias) gradients.add(bias, kernels.biasGradient(dy));
          if (!wanted) return [undefined];
          const dx = computed.inputGradient(dy, filter.value as Tensor4D, x.shape);
          return [isZero(before) ? dx : unpad2d(tf, dx, before, input.shape)];
        },
      };
    },
  } satisfies Layer;
};

/** ONNX has outputs × inputs × H × W, TensorFlow H × W × inputs × outputs. */
function standardLayout(node: Node) {
  const view = node.weightShape(1);
  const order = [2, 3, 1, 0];
  return { view, order, shape: order.map((axis) => view[axis]) };
}

/** ONNX has channels · multiplier × 1 × H × W, TensorFlow H × W × channels × multiplier. */
function depthwiseLayout(node: Node, channels: number) {
  const [outputs, , height, width] = node.weightShape(1);
  const multiplier = outputs / channels;
  const view = [channels, multiplier, height, width];
  return { view, order: [2, 3, 0, 1], shape: [height, width, channels, multiplier] };
}

function standardConvolution(tf: TensorFlow, strides: [number, number], pad: Padding): Convolution {
  const attributes = { strides, pad, dataFormat: 'NHWC', dimRoundingMode: undefined, dilations: [1, 1] };
  const kernel = (name: string, inputs: Record<string, Tensor>, more: object = {}) =>
    tf.engine().runKernel(name, inputs, { ...attributes, ...more } as never) as Tensor4D;
  return {
    forward: (x, filter) => kernel('Conv2D', { x, filter }),
    inputGradient: (dy, filter, inputShape) => kernel('Conv2DBackpropInput', { dy, filter }, { inputShape }),
    filterGradient: (dy, x, filterShape) => kernel('Conv2DBackpropFilter', { dy, x }, { filterShape }),
  };
}

/** A group for each channel. */
function depthwiseConvolution(tf: TensorFlow, strides: [number, number], pad: Padding): Convolution {
  const attributes = { strides, pad, dimRoundingMode: undefined, dilations: [1, 1] };
  const kernel = (name: string, inputs: Record<string, Tensor>, more: object = {}) =>
    tf.engine().runKernel(name, inputs, { ...attributes, ...more } as never) as Tensor4D;
  return {
    forward: (x, filter) => kernel('DepthwiseConv2dNative', { x, filter }),
    inputGradient: (dy, filter, inputShape) =>
      kernel('DepthwiseConv2dNativeBackpropInput', { dy, filter }, { inputShape }),
    filterGradient: (dy, x, filterShape) =>
      kernel('DepthwiseConv2dNativeBackpropFilter', { dy, x }, { filterShape }),
  };
}

/** Convolutions of their own for each group of channels. */
function groupedConvolution(
  tf: TensorFlow,
  { forward, inputGradient, filterGradient }: Convolution,
  groups: number,
  channels: number,
  outputs: number,
): Convolution {
  const split = (x: Tensor4D, size: number) =>
    tf.split(x, Array(groups).fill(size / groups), 3) as Tensor4D[];
  const join = (parts: Tensor4D[]) => tf.concat(parts, 3) as Tensor4D;
  const sized = (shape: readonly number[], size: number) => [...shape.slice(0, 3), size / groups];
  return {
    forward(x, filter) {
      const filters = split(filter, outputs);
      return join(split(x, channels).map((part, g) => forward(part, filters[g])));
    },
    inputGradient(dy, filter, shape) {
      const filters = split(filter, outputs);
      const part = sized(shape, channels);
      return join(split(dy, outputs).map((gradient, g) => inputGradient(gradient, filters[g], part)));
    },
    filterGradient(dy, x, shape) {
      const parts = split(x, channels);
      const part = sized(shape, outputs);
      return join(split(dy, outputs).map((gradient, g) => filterGradient(gradient, parts[g], part)));
    },
  };
}

/** TensorFlow's gradients know no dilation on the CPU: the filter gets zeros between its elements instead. */
function dilatedConvolution(tf: TensorFlow, plain: Convolution, [dy, dx]: readonly number[]): Convolution {
  const spread = (filter: Tensor4D): Tensor4D => {
    const [height, width, inputs, outputs] = filter.shape;
    const cells = tf.reshape(filter, [height, 1, width, inputs * outputs]);
    const rows = tf.pad(cells, [
      [0, 0],
      [0, dy - 1],
      [0, 0],
      [0, 0],
    ]);
    const tall = tf.reshape(rows, [height * dy, width, 1, inputs * outputs]);
    const columns = tf.pad(tall, [
      [0, 0],
      [0, 0],
      [0, dx - 1],
      [0, 0],
    ]);
    const spaced = tf.reshape(columns, [height * dy, width * dx, inputs, outputs]);
    return tf.slice(
      spaced,
      [0, 0, 0, 0],
      [height * dy - dy + 1, width * dx - dx + 1, inputs, outputs],
    ) as Tensor4D;
  };
  return {
    forward: (x, filter) => plain.forward(x, spread(filter)),
    inputGradient: (gradient, filter, shape) => plain.inputGradient(gradient, spread(filter), shape),
    filterGradient(gradient, x, [height, width, ...rest]) {
      const wide = [dy * (height - 1) + 1, dx * (width - 1) + 1, ...rest];
      const all = plain.filterGradient(gradient, x, wide);
      return tf.stridedSlice(all, [0, 0, 0, 0], wide, [dy, dx, 1, 1]) as Tensor4D;
    },
  };
}

function isDilated(dilations: readonly number[]): boolean {
  return dilations.some((dilation) => dilation > 1);
}

/** Whether at stride 1 the output has the input's size, the larger half of the padding at the end. */
function isSame([top, left, bottom, right]: readonly number[], [height, width]: readonly number[]): boolean {
  const half = (extent: number) => Math.floor((extent - 1) / 2);
  return (
    top === half(height) && left === half(width) && top + bottom === height - 1 && left + right === width - 1
  );
}
