import { expect } from 'chai';
import fc from 'fast-check';
import { GraphError } from '../../../src/common/errors.ts';
import { RandomState } from '../../../src/common/random.ts';
import { elementCount } from '../../../src/common/tensor.ts';
import { type Attribute, float, GraphBuilder, type NodeOptions } from '../../../src/graph/builder.ts';
import { extendModel } from '../../../src/graph/gradient/extend.ts';
import { gradientGraph } from '../../../src/graph/gradient/gradient-graph.ts';
import { gradientOf } from '../../../src/graph/gradient/output-names.ts';
import { rules } from '../../../src/graph/gradient/rule-table.ts';
import { ElementType } from '../../../src/graph/onnx.ts';
import { inferShapes } from '../../../src/graph/shapes.ts';
import { largestDifference } from '../models.ts';
import { opened, type Values } from './session.ts';

const RUNS = 12;
/** How far values are moved: they are apart by `GRID`, and from every corner by half of it. */
const STEP = 0.01;
const GRID = 0.05;

/** What a case is drawn with. */
class Drawing {
  readonly graph = new GraphBuilder('case');
  readonly values: Record<string, { data: Float32Array; shape: number[] }> = {};
  readonly #random: RandomState;

  constructor(seed: number) {
    this.#random = new RandomState(seed >>> 0);
  }

  /** A whole number from `low` to `high`. */
  number(low: number, high: number): number {
    return low + this.#random.integer(high - low);
  }

  one<T>(...choices: readonly T[]): T {
    return choices[this.number(0, choices.length - 1)];
  }

  /** An input that is moved. Its values differ, and none is a multiple of `GRID`. */
  input(name: string, ...shape: number[]): string {
    const order = this.#random.permutation(elementCount(shape));
    const data = Float32Array.from(order, (place) => (place + 0.5 - Math.floor(order.length / 2)) * GRID);
    this.values[name] = { data, shape };
    // The batch of the first one is free, as that of images is.
    const sizes = name === 'x' ? ['batch', ...shape.slice(1)] : shape;
    return this.graph.input(name, ElementType.float, sizes);
  }

  node(opType: string, inputs: readonly string[], attributes: NodeOptions['attributes'] = {}): string {
    return this.graph.node(opType, inputs, { attributes });
  }

  ints(...values: number[]): string {
    return this.graph.int64s(this.graph.freshName('ints'), values);
  }

  list(...values: number[]): string {
    const data = Float32Array.from(values);
    return this.graph.initializer(this.graph.freshName('list'), {
      dtype: 'float32',
      shape: [data.length],
      data,
    });
  }

  scalar(value: number): string {
    const data = Float32Array.of(value);
    return this.graph.initializer(this.graph.freshName('scalar'), { dtype: 'float32', shape: [], data });
  }

  /** So many numbers between −1 and 1. */
  direction(count: number): Float32Array {
    return Float32Array.from({ length: count }, () => 2 * this.#random.random() - 1);
  }
}

/** Writes a node of the operator, and gives the name of what it yields. */
type Case = (draw: Drawing) => string;

const image = (draw: Drawing, channels = draw.number(1, 4)) =>
  draw.input('x', draw.number(1, 3), channels, draw.number(3, 7), draw.number(3, 7));

const elementwise =
  (opType: string, attributes: Record<string, Attribute> = {}): Case =>
  (draw) =>
    draw.node(opType, [image(draw)], attributes);

const binary =
  (opType: string): Case =>
  (draw) => {
    const sizes = [draw.number(1, 3), draw.number(2, 4), draw.number(2, 4)];
    const others = draw.one(sizes, [1, ...sizes.slice(1)], sizes.slice(1), [sizes[1], 1], [1]);
    return draw.node(opType, [draw.input('x', ...sizes), draw.input('y', ...others)]);
  };

/** Strides, and pads or how they are found. */
function window(
  draw: Drawing,
  kernel: number[],
  dilations = [1, 1],
): { strides: number[]; pads?: number[]; auto_pad?: string } {
  const low = kernel.map((length, axis) => Math.floor((dilations[axis] * (length - 1)) / 2));
  const pads = [...low, ...low].map((most) => draw.number(0, most));
  const automatic = draw.one('NOTSET', 'NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID');
  return {
    strides: [draw.number(1, 3), draw.number(1, 2)],
    ...(automatic === 'NOTSET' ? { pads } : { auto_pad: automatic }),
  };
}

const convolution: Case = (draw) => {
  const [groups, perGroup] = draw.one([1, 3], [2, 2], [4, 1], [1, 5], [1, 1]);
  const outputs = groups * draw.number(1, 3);
  const kernel = [draw.number(1, 3), draw.number(1, 3)];
  // onnxruntime pads by itself only where nothing is dilated.
  const dilations = draw.one([1, 1], [1, 1], [1, 2], [2, 1]);
  const side = () => draw.number(5, 10);
  const x = draw.input('x', draw.number(1, 3), groups * perGroup, side(), side());
  const inputs = [x, draw.input('w', outputs, perGroup, ...kernel)];
  if (draw.one(true, false)) inputs.push(draw.input('b', outputs));
  const { strides, pads = [0, 0, 0, 0], auto_pad } = window(draw, kernel, dilations);
  const automatic = auto_pad !== undefined && dilations.every((step) => step === 1);
  const attributes = { strides, dilations, group: groups };
  return draw.node('Conv', inputs, automatic ? { ...attributes, auto_pad } : { ...attributes, pads });
};

const pooling =
  (opType: string): Case =>
  (draw) => {
    const kernel = [draw.number(2, 3), draw.number(1, 3)];
    const { strides: apart, pads = [0, 0, 0, 0] } = window(draw, kernel);
    const padding = draw.number(0, 1);
    // Of a last, partial window: what is made of padding, and of gaps before it, differs from runtime to runtime.
    const ceil_mode = draw.number(0, 1);
    const strides = ceil_mode ? apart.map((step, axis) => Math.min(step, kernel[axis])) : apart;
    const attributes = { kernel_shape: kernel, strides, ceil_mode };
    return draw.node(opType, [image(draw)], {
      ...attributes,
      pads: ceil_mode ? [0, 0, 0, 0] : pads,
      ...(opType === 'AveragePool' && { count_include_pad: padding }),
    });
  };

const reduction =
  (opType: string): Case =>
  (draw) => {
    const axes = draw.one([0], [1], [2, 3], [-1], [0, 2, 3]);
    return draw.node(opType, [image(draw), draw.ints(...axes)], { keepdims: draw.number(0, 1) });
  };

const cases: Readonly<Record<string, Case>> = {
  Add: binary('Add'),
  AveragePool: pooling('AveragePool'),
  BatchNormalization(draw) {
    const channels = draw.number(1, 4);
    const x = draw.one(true, false) ? image(draw, channels) : draw.input('x', draw.number(2, 6), channels);
    const [scale, offset] = ['scale', 'offset'].map((name) => draw.input(name, channels));
    const ones = () => draw.list(...Array(channels).fill(1));
    return draw.node('BatchNormalization', [x, scale, offset, ones(), ones()], { epsilon: float(0.1) });
  },
  Clip: (draw) =>
    draw.node('Clip', [image(draw), draw.one('', draw.scalar(-1)), ...draw.one([draw.scalar(0.5)], [])]),
  Concat(draw) {
    const sizes = [draw.number(1, 3), draw.number(1, 3), draw.number(1, 3)];
    const axis = draw.one(1, 2, -1);
    const others = sizes.with(axis, draw.number(1, 4));
    const [x, y] = [draw.input('x', ...sizes), draw.input('y', ...others)];
    return draw.node('Concat', [x, y, x], { axis });
  },
  Conv: convolution,
  Div(draw) {
    const x = draw.input('x', 2, 3, 2);
    const away = draw.node('Add', [
      draw.node('Mul', [draw.input('y', 3, 1), draw.scalar(0.5)]),
      draw.scalar(4),
    ]);
    return draw.node('Div', [x, away]);
  },
  Exp: (draw) => draw.node('Exp', [draw.node('Mul', [image(draw), draw.scalar(0.3)])]),
  Flatten: (draw) => draw.node('Flatten', [image(draw)]),
  Gemm(draw) {
    const [rows, inner, columns] = [draw.number(1, 4), draw.number(1, 4), draw.number(1, 4)];
    const [transA, transB] = [draw.number(0, 1), draw.number(0, 1)];
    const a = draw.input('a', ...(transA ? [inner, rows] : [rows, inner]));
    const b = draw.input('b', ...(transB ? [columns, inner] : [inner, columns]));
    const c = draw.one([], [draw.input('c', ...draw.one([columns], [rows, 1]))]);
    const scales = { alpha: float(draw.number(1, 3)), beta: float(draw.number(1, 2)) };
    return draw.node('Gemm', [a, b, ...c], { transA, transB, ...scales });
  },
  GlobalAveragePool: elementwise('GlobalAveragePool'),
  HardSigmoid: elementwise('HardSigmoid', { alpha: float(0.25), beta: float(0.5) }),
  HardSwish: elementwise('HardSwish'),
  Identity: elementwise('Identity'),
  LeakyRelu: elementwise('LeakyRelu', { alpha: float(0.1) }),
  LogSoftmax: (draw) =>
    draw.node('LogSoftmax', [draw.input('x', draw.number(1, 4), 5)], { axis: draw.one(1, -1) }),
  MatMul(draw) {
    const [rows, inner, columns] = [draw.number(1, 4), draw.number(1, 4), draw.number(1, 4)];
    const batch = draw.one([], [2], [2, 3]);
    const many = draw.one(true, false) ? batch : [];
    return draw.node('MatMul', [
      draw.input('a', ...batch, rows, inner),
      draw.input('b', ...many, inner, columns),
    ]);
  },
  MaxPool: pooling('MaxPool'),
  Mul: binary('Mul'),
  Pad(draw) {
    const pads = Array.from({ length: 8 }, (_, i) => (i % 4 === 0 ? 0 : draw.number(0, 2)));
    return draw.node('Pad', [image(draw), draw.ints(...pads), draw.scalar(7)]);
  },
  ReduceMean: reduction('ReduceMean'),
  ReduceSum: reduction('ReduceSum'),
  Relu: elementwise('Relu'),
  Reshape: (draw) => draw.node('Reshape', [image(draw), draw.ints(0, -1)]),
  Sigmoid: elementwise('Sigmoid'),
  Slice(draw) {
    const [start, step] = [draw.number(-5, 2), draw.number(1, 3)];
    const lists = [
      [start, 0],
      [2 ** 31 - draw.number(1, 2), draw.one(3, 2 ** 31 - 1)],
      [2, draw.one(3, -1)],
      [step, draw.number(1, 2)],
    ];
    return draw.node('Slice', [
      draw.input('x', draw.number(1, 2), 2, draw.number(5, 8), draw.number(3, 7)),
      ...lists.map((list) => draw.ints(...list)),
    ]);
  },
  Squeeze: (draw) => draw.node('Squeeze', [draw.node('GlobalAveragePool', [image(draw)]), draw.ints(2, 3)]),
  Sub: binary('Sub'),
  Transpose: (draw) => draw.node('Transpose', [image(draw)], { perm: draw.one([0, 2, 3, 1], [0, 3, 2, 1]) }),
  Unsqueeze: (draw) => draw.node('Unsqueeze', [image(draw), draw.ints(draw.one(1, 3))]),
};

const convolutionOf =
  (x: number[], w: number[], attributes: Record<string, Attribute> = {}): Case =>
  (draw) =>
    draw.node('Conv', [draw.input('x', ...x), draw.input('w', ...w)], attributes);

/** What is written in another way than usual, or left to its default. */
const particular: Readonly<Record<string, Case>> = {
  'Conv of 1 × 1': convolutionOf([2, 3, 4, 5], [4, 3, 1, 1]),
  'Conv of 1 × 1, padded': convolutionOf([2, 3, 4, 5], [4, 3, 1, 1], { pads: [1, 0, 0, 1] }),
  'Conv of 1 × 1, strided': convolutionOf([2, 3, 5, 5], [4, 3, 1, 1], { strides: [2, 2] }),
  'Conv of 1 × 1, in groups': convolutionOf([2, 4, 4, 5], [4, 2, 1, 1], { group: 2 }),
  'Conv of 1 × 2': convolutionOf([2, 3, 4, 5], [4, 3, 1, 2]),
  'Conv of fewer outputs than inputs': convolutionOf([2, 5, 6, 5], [2, 5, 3, 2], { pads: [1, 0, 2, 1] }),
  'Conv of as many': convolutionOf([2, 3, 6, 5], [3, 3, 3, 2], { pads: [1, 0, 2, 1] }),
  'Conv of fewer outputs, dilated': convolutionOf([2, 5, 6, 5], [2, 5, 3, 2], { dilations: [2, 1] }),
  'Conv of fewer outputs, strided': convolutionOf([2, 5, 6, 5], [2, 5, 3, 2], { strides: [1, 2] }),
  'Conv padded as far as its filter reaches': convolutionOf([2, 3, 4, 4], [2, 3, 3, 3], {
    pads: [2, 2, 2, 2],
  }),
  'Conv padded further': convolutionOf([2, 3, 4, 4], [2, 3, 2, 3], { pads: [2, 3, 2, 0] }),
  'Conv of 64 positions': convolutionOf([2, 2, 8, 8], [3, 2, 3, 3], { pads: [1, 1, 1, 1] }),
  'Conv of more': convolutionOf([2, 2, 9, 8], [3, 2, 3, 3], { pads: [1, 1, 1, 1] }),
  'Conv in groups of more': convolutionOf([2, 4, 9, 8], [4, 2, 3, 3], { group: 2, pads: [1, 1, 1, 1] }),
  'Conv to 64 positions': convolutionOf([2, 2, 10, 10], [3, 2, 3, 3]),
  'Conv that leaves rows out': convolutionOf([2, 2, 9, 8], [3, 2, 2, 2], { strides: [3, 5] }),
  'Conv of one output in groups': convolutionOf([2, 3, 6, 5], [3, 1, 3, 3], { group: 3, dilations: [2, 1] }),
  ...Object.fromEntries(
    ['SAME_UPPER', 'SAME_LOWER', 'VALID'].map((auto_pad) => [
      `Conv, ${auto_pad}`,
      convolutionOf([2, 3, 6, 7], [2, 3, 2, 4], { auto_pad, strides: [1, 2] }),
    ]),
  ),
  'Gemm without factors': (draw) =>
    draw.node('Gemm', [draw.input('a', 3, 2), draw.input('b', 2, 4), draw.input('c', 4)]),
  'Gemm of a bias times 2': (draw) =>
    draw.node('Gemm', [draw.input('a', 2, 3), draw.input('b', 4, 2), draw.input('c', 4)], {
      ...{ transA: 1, transB: 1, beta: float(2) },
    }),
  'LogSoftmax without an axis': (draw) => draw.node('LogSoftmax', [draw.input('x', 3, 5)]),
  'Pad of nothing': (draw) => draw.node('Pad', [image(draw), draw.ints(0, 0, 0, 0, 0, 0, 0, 0)]),
  'Pad of some axes': (draw) =>
    draw.node('Pad', [image(draw), draw.ints(1, 0, 0, 2), draw.scalar(0), draw.ints(-1, 1)]),
  'ReduceMean of all axes': (draw) => draw.node('ReduceMean', [image(draw)]),
  'ReduceMean of axes out of order': (draw) =>
    draw.node('ReduceMean', [image(draw), draw.ints(-1, 1)], { keepdims: 0 }),
  'ReduceSum of all axes': (draw) => draw.node('ReduceSum', [image(draw)], { keepdims: 0 }),
  'Slice of the first axes': (draw) =>
    draw.node('Slice', [draw.input('a', 3, 4), draw.ints(1, -3), draw.ints(9, -1)]),
  'Slice to an end that is computed': (draw) => {
    const a = draw.input('a', 3, 4);
    const end = draw.node('Shape', [a], { start: 1, end: 2 });
    return draw.node('Slice', [a, draw.ints(1), end, draw.ints(1)]);
  },
  'Slice of the whole batch': (draw) =>
    draw.node('Slice', [draw.input('x', 3, 4), draw.ints(0, 1), draw.ints(2 ** 31 - 1, 3)]),
  'ReduceSum of no axes': (draw) => draw.node('ReduceSum', [image(draw)], { noop_with_empty_axes: 1 }),
  'Slice by two': (draw) =>
    draw.node('Slice', [draw.input('a', 7, 4), draw.ints(1), draw.ints(7), draw.ints(0), draw.ints(2)]),
  'Transpose without an order': (draw) => draw.node('Transpose', [draw.input('a', 2, 3, 4)]),
  'a value that three take': (draw) => {
    const x = image(draw);
    return draw.node('Mul', [draw.node('Mul', [x, x]), draw.node('Relu', [x])]);
  },
};

/** Settings without a gradient here, and what the error says of them. */
const refused: Readonly<Record<string, Case>> = {
  'Pad with padding by anything but a constant': (draw) =>
    draw.node('Pad', [image(draw), draw.ints(0, 0, 1, 0, 0, 0, 1, 0)], { mode: 'reflect' }),
  'Pad with pads that are negative': (draw) =>
    draw.node('Pad', [image(draw), draw.ints(0, 0, 0, 0, 0, 0, -1, 0)]),
  'Pad with the batch as its axis': (draw) =>
    draw.node('Pad', [image(draw), draw.ints(1, 0, 0, 0, 0, 0, 0, 0)]),
  'Slice with steps backwards': (draw) =>
    draw.node('Slice', [image(draw), draw.ints(0, 3), draw.ints(2, 0), draw.ints(2, 3), draw.ints(1, -1)]),
  'Slice with the batch as its axis': (draw) =>
    draw.node('Slice', [draw.input('x', 3, 2), draw.ints(0), draw.ints(2), draw.ints(0)]),
  'Concat with the batch as its axis': (draw) => {
    const x = image(draw);
    return draw.node('Concat', [x, x], { axis: 0 });
  },
  'MatMul with vectors': (draw) => draw.node('MatMul', [draw.input('a', 3, 4), draw.input('b', 4)]),
  'MatMul with a left operand of fewer dimensions': (draw) =>
    draw.node('MatMul', [draw.input('a', 3, 4), draw.input('b', 2, 4, 5)]),
  'ReduceMean with no axes': (draw) => draw.node('ReduceMean', [image(draw)], { noop_with_empty_axes: 1 }),
  'Conv with convolution in other than two dimensions': (draw) =>
    draw.node('Conv', [draw.input('x', 2, 3, 8), draw.input('w', 4, 3, 3)]),
};

describe('the gradient of every operator', () => {
  it('is looked at here', () => {
    expect(Object.keys(cases)).deep.equals(Object.keys(rules));
  });

  for (const [name, build] of Object.entries(cases))
    it(`${name} is what small steps show`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.integer(), async (seed) => {
          const draw = new Drawing(seed);
          await comparesWithSteps(draw, build(draw));
        }),
        { numRuns: RUNS },
      );
    });
});

describe('the gradient of', () => {
  for (const [name, build] of Object.entries(particular))
    it(`${name} is what small steps show`, async () => {
      const draw = new Drawing(7);
      await comparesWithSteps(draw, build(draw));
    });

  for (const [name, build] of Object.entries(refused))
    it(`${name} is refused`, async () => {
      const draw = new Drawing(7);
      const output = build(draw);
      let error: unknown;
      await comparesWithSteps(draw, output).catch((reason) => {
        error = reason;
      });
      expect(error).instanceOf(GraphError);
      expect((error as Error).message).equals(
        `model: node "${output}": training does not know ${name}; export the network in another way`,
      );
    });

  it('what the loss does not depend on is zero', async () => {
    const draw = new Drawing(7);
    const inputs = [draw.input('a', 2, 3), draw.input('b', 2, 3)];
    draw.graph.node('Relu', [inputs[1]]);
    draw.graph.node('ReduceSum', ['a'], { name: 'loss', attributes: { keepdims: 0 } });
    draw.graph.output('loss', ElementType.float, []);
    const run = await opened(gradientGraph(draw.graph.build(), 'loss', inputs));
    const found = await run(draw.values);
    expect([...found[gradientOf('a')]]).deep.equals(Array(6).fill(1));
    expect([...found[gradientOf('b')]]).deep.equals(Array(6).fill(0));
  });
});

/** Compares gradients along random directions with differences of Σ r y. */
async function comparesWithSteps(draw: Drawing, output: string): Promise<void> {
  const { graph, values } = draw;
  const inputs = Object.keys(values);
  graph.output(output, ElementType.float, []);
  const plain = graph.build();
  plain.graph.output = [{ name: output }];
  const batch = values.x?.shape[0] ?? 0;
  const shape = inferShapes(plain)
    .get(output)!
    .shape!.map((size) => (typeof size === 'number' ? size : batch));
  const summed = extendModel(plain, (write) => {
    const weighed = write.node('Mul', [output, write.input('r', ElementType.float, shape)]);
    write.output('loss', write.node('ReduceSum', [weighed], { keepdims: 0 }), ElementType.float, []);
  });
  const run = await opened(gradientGraph(summed, 'loss', inputs));

  const weights = draw.direction(elementCount(shape));
  const feeds: Values = { ...values, r: { data: weights, shape } };
  const lossAt = async (moved: Values) => {
    const y = (await run({ ...feeds, ...moved }))[output];
    return y.reduce((sum, value, i) => sum + value * weights[i], 0);
  };
  const gradients = await run(feeds);
  // A batch is normalised by other statistics where a network is trained.
  if (graph.nodes.every(({ opType }) => opType !== 'BatchNormalization')) {
    const direct = (await (await opened(plain))(values))[output];
    expect(largestDifference(gradients[output], direct), 'forward').below(1e-4);
  }
  for (const input of inputs) {
    const { data, shape: sizes } = values[input];
    const gradient = gradients[gradientOf(input)];
    expect(gradient.length, input).equals(data.length);
    const direction = draw.direction(data.length);
    const moved = (by: number) => ({
      [input]: { data: data.map((value, i) => value + by * direction[i]), shape: sizes },
    });
    const slope = ((await lossAt(moved(STEP))) - (await lossAt(moved(-STEP)))) / (2 * STEP);
    const along = gradient.reduce((sum, value, i) => sum + value * direction[i], 0);
    const length = Math.sqrt(gradient.reduce((sum, value) => sum + value ** 2, 0));
    expect(Math.abs(slope - along), `${input}: ${slope} and ${along}`).below(0.005 * length + 0.005);
  }
}
