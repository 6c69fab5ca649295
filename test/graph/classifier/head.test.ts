import { expect } from 'chai';
import { encodeBackboneMetadata } from '../../../models/metadata.ts';
import { RandomState } from '../../../src/common/random.ts';
import { GraphBuilder } from '../../../src/graph/builder.ts';
import { describeClassifier, toBackbone } from '../../../src/graph/classifier/classifier.ts';
import { findHead } from '../../../src/graph/classifier/head.ts';
import { ElementType, type ModelProto } from '../../../src/graph/onnx.ts';
import { setMetadata } from '../../../src/graph/rewrite.ts';
import { featureGraph } from '../../../src/pipeline/features/feature-graph.ts';
import { runOnPixels } from '../../../src/pipeline/run-graph.ts';

const WIDTH = 6;
const CLASSES = 4;

/** Ends of classifiers that are linear, from maps `[batch, 6, 8, 8]` on. */
const linear: Record<string, (graph: GraphBuilder, maps: string) => string> = {
  Gemm: (graph, maps) => gemm(graph, pooled(graph, maps), 1),
  'Gemm, untransposed, scaled': (graph, maps) => gemm(graph, pooled(graph, maps), 0),
  'MatMul and Add': (graph, maps) =>
    add(graph, graph.node('MatMul', [pooled(graph, maps), weight(graph, [WIDTH, CLASSES])])),
  'MatMul of a transposed constant': (graph, maps) => {
    const turned = graph.node('Transpose', [weight(graph, [CLASSES, WIDTH])], {
      attributes: { perm: [1, 0] },
    });
    return add(graph, graph.node('MatMul', [pooled(graph, maps), turned]));
  },
  '1×1 convolution behind pooling': (graph, maps) =>
    graph.node('Flatten', [pointwise(graph, graph.node('GlobalAveragePool', [maps]))]),
  '1×1 convolution before pooling': (graph, maps) =>
    graph.node('Flatten', [graph.node('GlobalAveragePool', [pointwise(graph, maps)])]),
  'mean of tokens behind the layer': (graph, maps) => {
    const tokens = graph.node('Reshape', [maps, graph.int64s('tokens', [0, WIDTH, 64])]);
    const last = graph.node('Transpose', [tokens], { attributes: { perm: [0, 2, 1] } });
    const each = graph.node('MatMul', [last, weight(graph, [WIDTH, CLASSES])]);
    return add(
      graph,
      graph.node('ReduceMean', [each, graph.int64s('axes', [1])], { attributes: { keepdims: 0 } }),
    );
  },
  'quantised weights': (graph, maps) => {
    const data = Int8Array.from({ length: CLASSES * WIDTH }, (_, i) => ((i * 37) % 255) - 127);
    const bytes = graph.initializer('bytes', { dtype: 'int8', shape: [CLASSES, WIDTH], data });
    const scale = graph.initializer('scale', {
      dtype: 'float32',
      shape: [CLASSES],
      data: Float32Array.of(0.01, 0.02, 0.03, 0.04),
    });
    const zero = graph.initializer('zero', { dtype: 'int8', shape: [CLASSES], data: new Int8Array(CLASSES) });
    const rows = graph.node('DequantizeLinear', [bytes, scale, zero], { attributes: { axis: 0 } });
    return graph.node('Gemm', [pooled(graph, maps), rows], { attributes: { transB: 1 } });
  },
};

/** Ends without a linear layer that has the features as its input. */
const others: Record<string, (graph: GraphBuilder, maps: string) => string> = {
  'a ReLU behind the layer': (graph, maps) => graph.node('Relu', [gemm(graph, pooled(graph, maps), 1)]),
  'weights that depend on the image': (graph, maps) => {
    const rows = pooled(graph, maps);
    const sum = graph.node('Gemm', [rows, rows], { attributes: { transA: 1 } });
    const columns = graph.node('Slice', [
      graph.node('MatMul', [rows, sum]),
      ...['start', 'end', 'axis'].map((name, i) => graph.int64s(name, [[0, CLASSES, 1][i]])),
    ]);
    return columns;
  },
};

/** A head of maps `[n, 2, 4, 4]`; classes, and the constants that `add` may use: `rows`, 2×2, and `bias`. */
function headOf(add: (graph: GraphBuilder) => string, classes = 2, sizes: readonly number[] = [2, 4, 4]) {
  const graph = new GraphBuilder('network');
  const data = Float32Array.of(1, 2, 3, 4);
  graph.initializer('rows', { dtype: 'float32', shape: [2, 2], data });
  graph.initializer('kernel', { dtype: 'float32', shape: [2, 2, 1, 1], data });
  graph.initializer('bias', { dtype: 'float32', shape: [2], data: Float32Array.of(10, 20) });
  graph.input('maps', ElementType.float, ['n', ...sizes]);
  if (sizes.length === 3)
    graph.node('Flatten', [graph.node('GlobalAveragePool', ['maps'])], { name: 'pooled' });
  const logits = add(graph);
  return findHead(graph.build({ domains: { 'com.example': 1 } }), logits, classes, 'net.onnx');
}

const scalar = (value: number) => ({ dtype: 'float32', shape: [], data: Float32Array.of(value) }) as const;

describe('findHead', () => {
  const product = (graph: GraphBuilder, weight: string) => graph.node('MatMul', ['pooled', weight]);
  const weightOf = (add: Parameters<typeof headOf>[0]) => [...(headOf(add)?.weight ?? [])];

  it('gives weights by class, whatever way they lie', () => {
    expect(weightOf((g) => product(g, 'rows'))).to.deep.equal([1, 3, 2, 4]);
    const turned = (g: GraphBuilder, attributes = {}) => g.node('Transpose', ['rows'], { attributes });
    expect(weightOf((g) => product(g, turned(g)))).to.deep.equal([1, 2, 3, 4]);
    expect(weightOf((g) => product(g, turned(g, { perm: [1, 0] })))).to.deep.equal([1, 2, 3, 4]);
    expect(weightOf((g) => product(g, turned(g, { perm: [0, 1] })))).to.deep.equal([1, 3, 2, 4]);
    expect(weightOf((g) => product(g, g.node('Identity', ['rows'])))).to.deep.equal([1, 3, 2, 4]);
    const to = ElementType.float;
    expect(weightOf((g) => product(g, g.node('Cast', ['rows'], { attributes: { to } })))).to.have.length(4);
  });

  it('reads weights that a node holds', () => {
    const value = { dtype: 'float32', shape: [2, 2], data: Float32Array.of(5, 6, 7, 8) } as const;
    const constant = (g: GraphBuilder) => g.node('Constant', [], { attributes: { value } });
    expect(weightOf((g) => product(g, constant(g)))).to.deep.equal([5, 7, 6, 8]);
  });

  it('reads quantised weights: with and without zero point, of one scale or one a row or column', () => {
    const dequantize = (g: GraphBuilder, scales: number[], zeros?: number[], attributes = {}) => {
      const ofScales = scales.length > 1 ? [scales.length] : [];
      const bytes = { dtype: 'int8', shape: [2, 2], data: Int8Array.of(1, 2, 3, 4) } as const;
      g.initializer('bytes', bytes);
      g.initializer('scale', { dtype: 'float32', shape: ofScales, data: Float32Array.from(scales) });
      if (zeros) g.initializer('zero', { dtype: 'int8', shape: ofScales, data: Int8Array.from(zeros) });
      const inputs = zeros ? ['bytes', 'scale', 'zero'] : ['bytes', 'scale'];
      return product(g, g.node('DequantizeLinear', inputs, { attributes }));
    };
    expect(weightOf((g) => dequantize(g, [2]))).to.deep.equal([2, 6, 4, 8]);
    expect(weightOf((g) => dequantize(g, [2], [1]))).to.deep.equal([0, 4, 2, 6]);
    // Along the columns, unless something else is said.
    expect(weightOf((g) => dequantize(g, [1, 10], [0, 1]))).to.deep.equal([1, 3, 10, 30]);
    expect(weightOf((g) => dequantize(g, [1, 10], [0, 1], { axis: -1 }))).to.deep.equal([1, 3, 10, 30]);
    expect(weightOf((g) => dequantize(g, [1, 10], [0, 1], { axis: 0 }))).to.deep.equal([1, 20, 2, 30]);
    expect(weightOf((g) => dequantize(g, [1, 10], [0, 1], { axis: -2 }))).to.deep.equal([1, 20, 2, 30]);
    expect(weightOf((g) => dequantize(g, [1, 10], undefined, { axis: 0, block_size: 1 }))).to.deep.equal([]);
    const computed = (g: GraphBuilder) => g.node('ReduceMax', ['pooled'], { attributes: { keepdims: 0 } });
    expect(weightOf((g) => product(g, g.node('DequantizeLinear', ['rows', computed(g)])))).to.deep.equal([]);
  });

  it('adds up what is added, on either side, to one class or to all', () => {
    const biasOf = (add: Parameters<typeof headOf>[0]) => [...(headOf(add)?.bias ?? [])];
    expect(biasOf((g) => product(g, 'rows'))).to.deep.equal([0, 0]);
    expect(biasOf((g) => g.node('Add', [product(g, 'rows'), 'bias']))).to.deep.equal([10, 20]);
    expect(biasOf((g) => g.node('Add', ['bias', product(g, 'rows')]))).to.deep.equal([10, 20]);
    const twice = (g: GraphBuilder) =>
      g.node('Add', [g.node('Add', [product(g, 'rows'), 'bias']), g.initializer('one', scalar(1))]);
    expect(biasOf(twice)).to.deep.equal([11, 21]);
    const gemm = (g: GraphBuilder) =>
      g.node('Gemm', ['pooled', 'rows', 'bias'], { attributes: { beta: { float: 0.5 } } });
    expect(biasOf(gemm)).to.deep.equal([5, 10]);
  });

  it('sees through what changes no number, and through quantised logits', () => {
    const passed = (g: GraphBuilder) => {
      const [scale, zero] = [g.initializer('scale', scalar(0.1)), g.int64s('zero', [0])];
      const logits = g.node('Identity', [product(g, 'rows')]);
      return g.node('DequantizeLinear', [g.node('QuantizeLinear', [logits, scale, zero]), scale, zero]);
    };
    expect(headOf(passed)).to.include({ input: 'pooled', classes: 2, width: 2 });
  });

  it('takes one feature, and fewer features than classes', () => {
    const column = (g: GraphBuilder) =>
      g.initializer('column', { dtype: 'float32', shape: [1, 2], data: Float32Array.of(1, 2) });
    const head = headOf((g) => g.node('MatMul', ['maps', column(g)], { name: 'y' }), 2, [1]);
    expect(head).to.include({ input: 'maps', classes: 2, width: 1 });
  });

  it('takes means before the layer or after it, of all positions and nothing else', () => {
    const conv = (g: GraphBuilder, x = 'maps') => g.node('Conv', [x, 'kernel', 'bias']);
    const whole = (g: GraphBuilder, attributes = {}) =>
      g.node('AveragePool', [conv(g)], { attributes: { kernel_shape: [4, 4], ...attributes } });
    const means: Record<string, (g: GraphBuilder) => string> = {
      global: (g) => g.node('GlobalAveragePool', [conv(g)]),
      window: (g) => whole(g),
      'unpadded window': (g) => whole(g, { pads: [0, 0, 0, 0] }),
      reduced: (g) => g.node('ReduceMean', [conv(g), g.int64s('axes', [2, 3])]),
      'reduced to a row': (g) =>
        g.node('ReduceMean', [conv(g), g.int64s('axes', [2, 3])], { attributes: { keepdims: 0 } }),
    };
    for (const [name, mean] of Object.entries(means))
      expect(
        headOf((g) => g.node('Flatten', [mean(g)])),
        name,
      ).to.include({ input: 'maps', width: 2 });
    const others: Record<string, (g: GraphBuilder) => string> = {
      none: (g) => conv(g),
      'smaller window': (g) => whole(g, { kernel_shape: [4, 2] }),
      'padded window': (g) => whole(g, { pads: [1, 1, 1, 1] }),
      'window of no size': (g) => g.node('AveragePool', [conv(g)]),
      'half reduced': (g) => g.node('ReduceMean', [conv(g), g.int64s('axes', [2])]),
      'over the batch': (g) => g.node('ReduceMean', [conv(g), g.int64s('axes', [0, 2, 3])]),
      maximum: (g) => g.node('GlobalMaxPool', [conv(g)]),
    };
    for (const [name, mean] of Object.entries(others))
      expect(
        headOf((g) => g.node('Flatten', [mean(g)])),
        name,
      ).to.equal(undefined);
    const ofRow = (g: GraphBuilder) => g.node('ReduceMean', [product(g, 'rows'), g.int64s('axes', [0])]);
    expect(headOf(ofRow), 'of rows').to.equal(undefined);
  });

  it('takes convolutions of one position, and no other', () => {
    const conv = (attributes: Record<string, number[] | number>) => (g: GraphBuilder) =>
      g.node('Flatten', [g.node('GlobalAveragePool', [g.node('Conv', ['maps', 'kernel'], { attributes })])]);
    expect(headOf(conv({ pads: [0, 0, 0, 0], strides: [1, 1], group: 1 }))).to.include({ width: 2 });
    expect(headOf(conv({ pads: [0, 0, 1, 1] }))).to.equal(undefined);
    expect(headOf(conv({ strides: [1, 2] }))).to.equal(undefined);
    expect(headOf(conv({ group: 2 }))).to.equal(undefined);
    const wide = (g: GraphBuilder) => {
      const shape = [2, 2, 1, 3];
      const kernel = g.initializer('wide', { dtype: 'float32', shape, data: new Float32Array(12) });
      return g.node('Flatten', [g.node('GlobalAveragePool', [g.node('Conv', ['maps', kernel])])]);
    };
    expect(headOf(wide)).to.equal(undefined);
    // Two channels of two positions are no head of four classes.
    const positions = (g: GraphBuilder) => g.node('Flatten', [g.node('Conv', ['maps', 'kernel'])]);
    expect(headOf(positions, 4, [2, 2, 1])).to.equal(undefined);
    expect(headOf(positions, 2, [2, 1, 1])).to.include({ input: 'maps', width: 2 });
  });

  it('is none where weights or what is added depend on the image, or fit no class', () => {
    const column = { dtype: 'float32', shape: [3, 1], data: Float32Array.of(1, 2, 3) } as const;
    const ends: Record<string, (g: GraphBuilder) => string> = {
      'sum of two products': (g) => g.node('Add', [product(g, 'rows'), g.node('Relu', ['pooled'])]),
      'what is added by image': (g) => g.node('Add', [product(g, 'rows'), g.initializer('column', column)]),
      'a bias by image': (g) => g.node('Gemm', ['pooled', 'rows', 'pooled']),
      'a convolution’s bias by image': (g) =>
        g.node('Flatten', [g.node('GlobalAveragePool', [g.node('Conv', ['maps', 'kernel', 'pooled'])])]),
      'weights by image': (g) => g.node('Gemm', ['pooled', g.node('Relu', ['pooled'])]),
      'a kernel by image': (g) =>
        g.node('Flatten', [g.node('GlobalAveragePool', [g.node('Conv', ['maps', 'maps'])])]),
      'features turned': (g) => g.node('Gemm', ['pooled', 'rows'], { attributes: { transA: 1 } }),
      'a product of stacks': (g) => g.node('MatMul', ['pooled', 'kernel']),
      'a product by image': (g) => product(g, g.node('Relu', ['pooled'])),
      'weights that are computed': (g) => product(g, g.node('Relu', ['rows'])),
      'an operator of others': (g) => g.node('Gemm', ['pooled', 'rows'], { domain: 'com.example' }),
      'weights by an operator of others': (g) =>
        product(g, g.node('Identity', ['rows'], { domain: 'com.example' })),
      'an activation': (g) => g.node('Relu', [product(g, 'rows')]),
      'a factor for each class': (g) => g.node('Mul', [product(g, 'rows'), 'bias']),
      'integers that are no quantised floats': (g) => {
        const integers = g.node('Cast', [product(g, 'rows')], { attributes: { to: ElementType.int8 } });
        return g.node('DequantizeLinear', [integers, g.initializer('scale', scalar(1))]);
      },
      'a node that holds no tensor': (g) =>
        product(g, g.node('Constant', [], { attributes: { value_float: { float: 1 } } })),
      'nothing that a node yields': () => 'pooled_elsewhere',
    };
    for (const [name, end] of Object.entries(ends)) expect(headOf(end), name).to.equal(undefined);
    for (const classes of [3, 5, 8]) expect(headOf((g) => product(g, 'rows'), classes)).to.equal(undefined);
  });
});

describe('the last layer of a classifier', () => {
  for (const [name, end] of Object.entries(linear))
    it(`${name}: weights times the extracted head input are the logits`, async () => {
      const model = backbone(end);
      const graph = featureGraph(model, 'model');
      expect(graph.head).to.include({ classes: CLASSES, width: WIDTH });
      expect(graph.headInput).to.equal('head_input');
      const random = new RandomState(5);
      const pixels = Uint8Array.from({ length: 3 * 8 * 8 * 3 }, () => random.integer(255));
      const [run] = await runOnPixels(graph.model, 'model', { height: 8, width: 8 }, [pixels]);
      const { weight, bias } = graph.head!;
      const input = run.head_input.data as Float32Array;
      expect(run.head_input.shape).to.deep.equal([3, WIDTH]);
      (run.logits.data as Float32Array).forEach((logit, at) => {
        const [row, k] = [Math.floor(at / CLASSES), at % CLASSES];
        let sum = bias[k];
        for (let j = 0; j < WIDTH; j++) sum += weight[k * WIDTH + j] * input[row * WIDTH + j];
        expect(sum).to.be.closeTo(logit, 1e-5);
      });
    });

  for (const [name, end] of Object.entries(others))
    it(`${name}: there is none`, () => {
      const graph = featureGraph(backbone(end), 'model');
      expect(graph.head).to.equal(undefined);
      expect(graph.headInput).to.equal(undefined);
      expect(graph.taps).to.deep.equal(['conv', 'logits', 'relu', 'relu[deviation]']);
    });

  it('tells a sigmoid from a softmax', () => {
    for (const [operator, isMultiLabel] of [
      ['Sigmoid', true],
      ['Softmax', false],
    ] as const) {
      const { graph, logits } = network(linear.Gemm);
      graph.output(graph.node(operator, [logits]), ElementType.float, ['batch', CLASSES]);
      expect(describeClassifier(graph.build(), 'model').isMultiLabel).to.equal(isMultiLabel);
    }
  });
});

function backbone(end: (graph: GraphBuilder, maps: string) => string): ModelProto {
  const { graph, logits } = network(end);
  graph.output(logits, ElementType.float, ['batch', CLASSES]);
  const model = toBackbone(graph.build(), 'model');
  return setMetadata(
    model,
    encodeBackboneMetadata({
      taps: ['conv', 'logits'],
      detectorTaps: ['conv'],
      mean: [0, 0, 0],
      std: [1, 1, 1],
    }),
  );
}

function network(end: (graph: GraphBuilder, maps: string) => string) {
  const graph = new GraphBuilder('network');
  const image = graph.input('image', ElementType.float, ['batch', 3, 8, 8]);
  const kernel = graph.initializer('kernel', tensor([WIDTH, 3, 1, 1], 1));
  const maps = graph.node('Relu', [graph.node('Conv', [image, kernel], { name: 'conv' })]);
  return { graph, logits: end(graph, maps) };
}

function tensor(shape: number[], seed: number) {
  const random = new RandomState(seed);
  const length = shape.reduce((product, size) => product * size, 1);
  return { dtype: 'float32', shape, data: Float32Array.from({ length }, () => random.normal()) } as const;
}

function weight(graph: GraphBuilder, shape: number[]): string {
  return graph.initializer('weight', tensor(shape, 2));
}

function pooled(graph: GraphBuilder, maps: string): string {
  return graph.node('Flatten', [graph.node('GlobalAveragePool', [maps])]);
}

function add(graph: GraphBuilder, value: string): string {
  return graph.node('Add', [value, graph.initializer('bias', tensor([CLASSES], 3))]);
}

function gemm(graph: GraphBuilder, rows: string, transB: 0 | 1): string {
  const shape = transB ? [CLASSES, WIDTH] : [WIDTH, CLASSES];
  const bias = graph.initializer('bias', tensor([CLASSES], 3));
  const attributes = { transB, ...(!transB && { alpha: { float: 0.5 }, beta: { float: 2 } }) };
  return graph.node('Gemm', [rows, weight(graph, shape), bias], { attributes });
}

function pointwise(graph: GraphBuilder, maps: string): string {
  const bias = graph.initializer('bias', tensor([CLASSES], 3));
  return graph.node('Conv', [maps, weight(graph, [CLASSES, WIDTH, 1, 1]), bias]);
}
