import type { Tensor } from '@tensorflow/tfjs-core';
import { attribute, intAttribute, intsAttribute, stringAttribute } from '../../../graph/attributes.ts';
import type { Layer, Node, Operator } from './operator.ts';

/** Operators that move values and compute nothing. */

/** Where the axes of N×C×H×W are in N×H×W×C. */
const moved = [0, 3, 1, 2];

export const concat: Operator = (node) => {
  const { tf, proto } = node;
  const shapes = proto.input.map((_, index) => node.inputShape(index));
  const rank = shapes[0].length + 1;
  const axis = ((intAttribute(proto, 'axis') ?? 0) + rank) % rank;
  if (axis === 0) throw node.unsupported('joining along the batch');
  const here = rank === 4 ? moved[axis] : axis;
  const sizes = shapes.map((shape) => shape[axis - 1]);
  return {
    inputs: [...proto.input.keys()],
    forward: (_run, ...inputs) => ({
      output: tf.concat(inputs, here),
      backward: (dy) => tf.split(dy, sizes, here),
    }),
  };
};

/** Flatten from axis 1 on. */
export const flatten: Operator = (node) => {
  if ((intAttribute(node.proto, 'axis') ?? 1) !== 1) throw node.unsupported('an axis other than 1');
  return flattening(node);
};

/** Reshape, and Squeeze, as far as they flatten or change nothing. */
export const reshape: Operator = (node) => {
  const [from, to] = [node.inputShape(0), node.outputShape()];
  if (`${from}` !== `${to}` && to.length !== 1)
    throw node.unsupported(`a change from N×${from.join('×')} to N×${to.join('×')}`);
  return flattening(node);
};

/** The axes are put into ONNX's order only where somebody would see them. */
function flattening(node: Node): Layer {
  const { tf } = node;
  const [from, to] = [node.inputShape(0), node.outputShape()];
  const isImage = from.length === 3 && to.length === 1;
  const hasPixels = isImage && from[1] * from[2] > 1;
  const reorders = hasPixels && node.mayReorderFeatures();
  return {
    inputs: [0],
    flattenedFrom: reorders ? from : undefined,
    forward(_run, x) {
      const size = from.length === to.length ? x.shape : [x.shape[0], ...to];
      if (!hasPixels || reorders)
        return { output: tf.reshape(x, size), backward: (dy) => [tf.reshape(dy, x.shape)] };
      const [batch, height, width, channels] = x.shape;
      return {
        output: tf.reshape(tf.transpose(x, [0, 3, 1, 2]), size),
        backward: (dy) => [tf.transpose(tf.reshape(dy, [batch, channels, height, width]), [0, 2, 3, 1])],
      };
    },
  };
}

/** Pad with a constant. */
export const pad: Operator = (node) => {
  const { tf, proto } = node;
  if ((stringAttribute(proto, 'mode') ?? 'constant') !== 'constant')
    throw node.unsupported('padding by anything but a constant');
  if (node.inputCount > 3) throw node.unsupported('axes');
  const pads = integers(node, 1) ?? intsAttribute(proto, 'pads');
  const rank = node.inputShape(0).length + 1;
  if (!pads || pads.some((size) => size < 0)) throw node.unsupported('pads that are negative');
  const value = Number(node.setting(2)?.data[0] ?? attribute(proto, 'value')?.f ?? 0);
  const here = arranged(
    Array.from({ length: rank }, (_, axis): [number, number] => [pads[axis], pads[axis + rank]]),
  );
  return {
    inputs: [0],
    forward: (_run, x) => ({
      output: tf.pad(x, here, value),
      backward: (dy) => [
        tf.slice(
          dy,
          here.map(([before]) => before),
          x.shape,
        ),
      ],
    }),
  };
};

/** Slice with constant bounds and positive steps. */
export const slice: Operator = (node) => {
  const { tf, proto } = node;
  const [starts, ends] = [
    integers(node, 1) ?? intsAttribute(proto, 'starts'),
    integers(node, 2) ?? intsAttribute(proto, 'ends'),
  ];
  const axes = integers(node, 3) ?? intsAttribute(proto, 'axes') ?? [...(starts ?? []).keys()];
  const steps = integers(node, 4) ?? axes.map(() => 1);
  const shape = node.inputShape(0);
  const rank = shape.length + 1;
  if (!starts || !ends) throw node.unsupported('no bounds');
  if (steps.some((step) => step < 1)) throw node.unsupported('steps backwards');
  const spans = shape.map((size) => ({ start: 0, end: size, step: 1 }));
  axes.forEach((given, i) => {
    const axis = (given + rank) % rank;
    if (axis === 0) throw node.unsupported('slicing the batch');
    const size = shape[axis - 1];
    const clamp = (at: number) => Math.min(size, Math.max(0, at < 0 ? at + size : at));
    spans[axis - 1] = { start: clamp(starts[i]), end: clamp(ends[i]), step: steps[i] };
  });
  const here = arranged([{ start: 0, end: Number.POSITIVE_INFINITY, step: 1 }, ...spans]);
  return {
    inputs: [0],
    forward(_run, x) {
      const ends = here.map(({ end }, axis) => Math.min(end, x.shape[axis]));
      const [begins, strides] = [here.map(({ start }) => start), here.map(({ step }) => step)];
      return {
        output: tf.stridedSlice(x, begins, ends, strides),
        backward: (dy) => [
          here.reduce(
            (gradient, { start, step }, axis) => scatter(gradient, axis, start, step, x.shape[axis]),
            dy,
          ),
        ],
      };
    },
  };

  /** Puts what a slice took along one axis back to its places, with zeros elsewhere. */
  function scatter(gradient: Tensor, axis: number, start: number, step: number, size: number): Tensor {
    const shape: number[] = gradient.shape;
    if (shape[axis] === size) return gradient;
    const product = (sizes: number[]) => sizes.reduce((a, b) => a * b, 1);
    const [outer, inner] = [product(shape.slice(0, axis)), product(shape.slice(axis + 1))];
    const count = shape[axis];
    const apart = tf.pad(tf.reshape(gradient, [outer, count, 1, inner]), [
      [0, 0],
      [0, 0],
      [0, step - 1],
      [0, 0],
    ]);
    const row = tf.reshape(apart, [outer, count * step, inner]);
    const length = Math.min(count * step, size - start);
    const kept = tf.slice(row, [0, 0, 0], [outer, length, inner]);
    const whole = tf.pad(kept, [
      [0, 0],
      [start, size - start - length],
      [0, 0],
    ]);
    return tf.reshape(whole, [...shape.slice(0, axis), size, ...shape.slice(axis + 1)]);
  }
};

/** What is said of the axes of ONNX, in the order of those here. */
function arranged<T>(ofAxes: readonly T[]): T[] {
  if (ofAxes.length !== 4) return [...ofAxes];
  const [n, c, h, w] = ofAxes;
  return [n, h, w, c];
}

function integers(node: Node, index: number): number[] | undefined {
  const constant = node.setting(index);
  return constant && Array.from(constant.data as BigInt64Array, Number);
}
