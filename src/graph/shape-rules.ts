import { intAttribute, intsAttribute, stringAttribute } from './attributes.ts';
import type { NodeProto } from './onnx.ts';
import {
  broadcast,
  checkSizes,
  concatenate,
  type Dim,
  fromStart,
  matrixProduct,
  product,
  quotient,
  type Shape,
  ShapeError,
  withoutAxes,
} from './shape-arithmetic.ts';

/** No tensor has more axes: a damaged model's list of sizes may be of any length. */
const LARGEST_RANK = 64;

/** What a rule is given of the node whose output's shape it says. */
export interface Operands {
  readonly node: NodeProto;
  /** The shapes of the node's inputs. */
  readonly shapes: readonly (Shape | undefined)[];
  /** The contents of those inputs that are short lists of integers and known. */
  readonly contents: readonly (Shape | undefined)[];
}

/** The shape of a node's output number `index`, as far as it can be said. */
export type ShapeRule = (operands: Operands, index: number) => Shape | undefined;

/** One rule an operator of ONNX's own set: those that image classifiers are made of. */
export const shapeRules: Readonly<Record<string, ShapeRule>> = {
  ...ruleFor(
    ({ shapes }, index) => (index === 0 ? shapes[0] : undefined),
    'Abs BatchNormalization Cast Ceil Celu Clip DequantizeLinear Elu Erf Exp Floor Gelu GroupNormalization HardSigmoid ' +
      'HardSwish Identity InstanceNormalization LRN LeakyRelu Log Mish Neg Not PRelu QuantizeLinear Reciprocal Relu ' +
      'Round Selu Sigmoid Sign Softplus Softsign Sqrt Tanh ThresholdedRelu',
  ),
  ...ruleFor(({ node, shapes: [x] }, index) => {
    fromStart(intAttribute(node, 'axis') ?? -1, x?.length ? x : undefined);
    return index === 0 ? x : undefined;
  }, 'LayerNormalization LogSoftmax LpNormalization Softmax'),
  ...ruleFor(
    ({ shapes }) => shapes.reduce(broadcast, []),
    'Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or Pow Sub Sum Where',
  ),
  ...ruleFor(
    reduce,
    'ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare',
  ),
  ...ruleFor(({ node, shapes }) => {
    const axes = [intAttribute(node, 'axis') ?? 0];
    return withoutAxes(shapes[0], axes, intAttribute(node, 'keepdims') ?? 1);
  }, 'ArgMax ArgMin'),
  ...ruleFor(
    ({ node, shapes: [x] }) => windows(node, x, x?.[1], intsAttribute(node, 'kernel_shape')),
    'AveragePool LpPool MaxPool',
  ),
  ...ruleFor(
    ({ shapes: [x] }) => x?.map((size, axis) => (axis < 2 ? size : 1)),
    'GlobalAveragePool GlobalMaxPool',
  ),

  Conv: ({ node, shapes: [x, w] }) =>
    windows(node, x, w?.[0], w?.slice(2) ?? intsAttribute(node, 'kernel_shape')),
  Dropout: ({ shapes: [x] }) => x,
  Concat: ({ node, shapes }) => concatenate(shapes, intAttribute(node, 'axis') ?? 0),
  Constant: ({ node }) => node.attribute.find(({ name }) => name === 'value')?.t?.dims,
  ConstantOfShape({ contents: [shape] }) {
    checkSizes('a shape with sizes', shape, 0);
    return shape;
  },
  Expand({ shapes: [x], contents: [, shape] }) {
    checkSizes('a shape with sizes', shape, 0);
    return broadcast(x, shape);
  },
  Flatten({ node, shapes: [x] }) {
    const axis = fromStart(intAttribute(node, 'axis') ?? 1, x, 1);
    return x && [product(x.slice(0, axis)), product(x.slice(axis))];
  },
  Gather({ node, shapes: [x, indices] }) {
    const axis = fromStart(intAttribute(node, 'axis') ?? 0, x);
    return x && indices && [...x.slice(0, axis), ...indices, ...x.slice(axis + 1)];
  },
  Gemm({ node, shapes: [a, b] }) {
    const rows = a?.[intAttribute(node, 'transA') ? 1 : 0];
    return [rows, b?.[intAttribute(node, 'transB') ? 0 : 1]];
  },
  MatMul: ({ shapes: [a, b] }) => matrixProduct(a, b),
  OneHot: ({ node, shapes: [x], contents: [, depth] }) =>
    (intAttribute(node, 'axis') ?? -1) === -1 ? x && [...x, depth?.[0]] : undefined,
  Pad: pad,
  Reshape: reshape,
  Shape: ({ node, shapes: [x] }) =>
    x && [x.slice(intAttribute(node, 'start') ?? 0, intAttribute(node, 'end')).length],
  Slice: slice,
  Split({ node, shapes: [x], contents }, index) {
    const axis = fromStart(intAttribute(node, 'axis') ?? 0, x);
    const sizes = contents[1] ?? intsAttribute(node, 'split');
    checkSizes('parts', sizes, 0);
    const whole = x?.[axis];
    const even = typeof whole === 'number' ? Math.ceil(whole / node.output.length) : undefined;
    const rest = even === undefined ? undefined : Math.min(even, (whole as number) - index * even);
    return x?.map((size, at) => (at === axis ? (sizes ? sizes[index] : rest) : size));
  },
  Squeeze({ node, shapes: [x], contents }) {
    const axes = contents[1] ?? intsAttribute(node, 'axes');
    if (axes || x?.every((size) => typeof size === 'number'))
      return withoutAxes(x, axes ?? x!.flatMap((size, axis) => (size === 1 ? [axis] : [])), 0);
  },
  Transpose({ node, shapes: [x] }) {
    const order = intsAttribute(node, 'perm') ?? x?.map((_, axis) => x.length - 1 - axis);
    if (x && (order!.length !== x.length || new Set(order).size !== x.length))
      throw new ShapeError(`the order ${order} of ${x.length} axes`);
    return x && order!.map((axis) => x[fromStart(axis, x)]);
  },
  Unsqueeze({ node, shapes: [x], contents }) {
    const axes = contents[1] ?? intsAttribute(node, 'axes');
    if (!x || !axes) return undefined;
    const result: Dim[] = Array(x.length + axes.length).fill(0);
    for (const axis of axes) {
      const at = fromStart(Number(axis), result);
      if (result[at] === 1) throw new ShapeError(`axis ${axis} twice`);
      result[at] = 1;
    }
    const sizes = x.values();
    return result.map((size) => (size === 1 ? 1 : sizes.next().value));
  },
};

/** Convolution and pooling: windows that move over the axes from the third on. */
function windows(node: NodeProto, x: Shape | undefined, channels: Dim, kernel: Shape | undefined) {
  if (!x) return undefined;
  const strides = intsAttribute(node, 'strides');
  const dilations = intsAttribute(node, 'dilations');
  const pads = intsAttribute(node, 'pads') ?? [];
  const autoPad = stringAttribute(node, 'auto_pad') ?? 'NOTSET';
  checkSizes('strides', strides, 1);
  checkSizes('dilations', dilations, 1);
  checkSizes('a window', kernel, 1);
  const rank = x.length - 2;
  const positions = (size: Dim, axis: number): Dim => {
    const width = kernel?.[axis];
    if (typeof size !== 'number' || typeof width !== 'number') return undefined;
    const stride = strides?.[axis] ?? 1;
    if (autoPad.startsWith('SAME')) return Math.ceil(size / stride);
    const [before, after] = autoPad === 'VALID' ? [0, 0] : [pads[axis] ?? 0, pads[axis + rank] ?? 0];
    const steps = (size + before + after - (width - 1) * (dilations?.[axis] ?? 1) - 1) / stride;
    const count = Math.floor(steps) + 1;
    if (!intAttribute(node, 'ceil_mode') || Number.isInteger(steps)) return count;
    // A last, partial window counts only if it begins within the image.
    return count * stride < size + before ? count + 1 : count;
  };
  return [x[0], channels, ...x.slice(2).map(positions)];
}

function reduce({ node, shapes: [x], contents }: Operands): Shape | undefined {
  const axes = contents[1] ?? intsAttribute(node, 'axes');
  const keep = intAttribute(node, 'keepdims') ?? 1;
  if (axes?.length) return withoutAxes(x, axes, keep);
  if (node.input[1]) return keep ? x?.map(() => undefined) : undefined;
  return intAttribute(node, 'noop_with_empty_axes')
    ? x
    : withoutAxes(x, x?.map((_, axis) => axis) ?? [], keep);
}

/** 0 keeps the input's size, -1 takes what is left over. */
function reshape({ node, shapes: [x, list], contents: [, target] }: Operands): Shape | undefined {
  if (!target) {
    const rank = list?.[0];
    return typeof rank === 'number' && rank <= LARGEST_RANK ? Array(rank).fill(undefined) : undefined;
  }
  checkSizes('a shape with sizes', target, -1);
  const copies = !intAttribute(node, 'allowzero');
  const shape = target.map((size, axis) => (size === 0 && copies ? x?.[axis] : size));
  const given = (size: Dim, axis: number) => size === 0 && copies && axis < (x?.length ?? 0);
  const others = shape.filter((_, axis) => target[axis] !== -1 && !given(target[axis], axis));
  const left =
    x &&
    quotient(
      x.filter((_, axis) => !given(target[axis], axis)),
      others,
    );
  return shape.map((size) => (size === -1 ? left : size));
}

function pad({ node, shapes: [x], contents }: Operands): Shape | undefined {
  const pads = contents[1] ?? intsAttribute(node, 'pads');
  const axes = (contents[3] ?? x?.map((_, axis) => axis))?.map((axis) => fromStart(Number(axis), x));
  return x?.map((size, axis) => {
    const at = axes!.indexOf(axis);
    if (at < 0 && !node.input[3]) return undefined;
    if (at < 0) return size;
    const [before, after] = [pads?.[at], pads?.[at + axes!.length]];
    if (before === 0 && after === 0) return size;
    const known = typeof size === 'number' && typeof before === 'number' && typeof after === 'number';
    return known ? size + before + after : undefined;
  });
}

function slice({ node, shapes: [x], contents }: Operands): Shape | undefined {
  const starts = contents[1] ?? intsAttribute(node, 'starts');
  const ends = contents[2] ?? intsAttribute(node, 'ends');
  const axes = contents[3] ?? intsAttribute(node, 'axes') ?? starts?.map((_, axis) => axis);
  if (!starts || !ends || (node.input[3] && !contents[3])) return x?.map(() => undefined);
  return x?.map((size, axis) => {
    const at = axes!.findIndex((candidate) => fromStart(Number(candidate), x) === axis);
    const [start, end] = [starts[at], ends[at]];
    if (at < 0) return size;
    const step = node.input[4] ? contents[4]?.[at] : 1;
    if (
      typeof size !== 'number' ||
      typeof start !== 'number' ||
      typeof end !== 'number' ||
      typeof step !== 'number'
    )
      return undefined;
    if (step === 0) throw new ShapeError('steps of 0');
    const clamp = (bound: number, low: number, high: number) =>
      Math.min(Math.max(bound < 0 ? bound + size : bound, low), high);
    const [from, to] =
      step > 0
        ? [clamp(start, 0, size), clamp(end, 0, size)]
        : [clamp(start, 0, size - 1), clamp(end, -1, size - 1)];
    return Math.max(0, Math.ceil((to - from) / step));
  });
}

function ruleFor(rule: ShapeRule, operators: string): Record<string, ShapeRule> {
  return Object.fromEntries(operators.split(' ').map((operator) => [operator, rule]));
}
