import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { RandomState } from '../../src/common/random.ts';
import { elementCount } from '../../src/common/tensor.ts';
import { type Attribute, float, GraphBuilder } from '../../src/graph/builder.ts';
import { extendModel } from '../../src/graph/gradient/extend.ts';
import { gradientGraph } from '../../src/graph/gradient/gradient-graph.ts';
import { gradientOf, nextOf } from '../../src/graph/gradient/output-names.ts';
import { parametersOf } from '../../src/graph/gradient/parameters.ts';
import { ElementType, type ModelProto } from '../../src/graph/onnx.ts';
import { encodeModel } from '../../src/graph/write.ts';
import { loadTensorFlow, type TensorFlow } from '../../src/training/tfjs/backend.ts';
import { TrainableGraph } from '../../src/training/tfjs/trainable-graph.ts';
import { opened } from '../graph/gradient/session.ts';
import { python } from './python.ts';

const BATCH = 4;

/** Draws initializers; the names say what is trained (`weight`, `bias`) and what follows (`running`). */
type Weights = (name: string, ...shape: number[]) => string;

/** A graph from `x`, N × 6 × 9 × 8, to the value whose name it gives, of the sizes that follow the batch. */
interface Case {
  build(graph: GraphBuilder, w: Weights): string;
  readonly output: readonly number[];
}

const ints = (graph: GraphBuilder, ...values: number[]) => graph.int64s(graph.freshName('ints'), values);
const scalar = (graph: GraphBuilder, value: number) =>
  graph.initializer(graph.freshName('scalar'), { dtype: 'float32', shape: [], data: Float32Array.of(value) });

function conv(
  weight: number[],
  attributes: Record<string, number | number[]>,
  output: number[],
  bias = false,
): Case {
  return {
    build: (graph, w) =>
      graph.node('Conv', ['x', w('weight', ...weight), ...(bias ? [w('bias', weight[0])] : [])], {
        attributes,
      }),
    output,
  };
}

function node(opType: string, attributes: Record<string, Attribute>, output: number[]): Case {
  return { build: (graph) => graph.node(opType, ['x'], { attributes }), output };
}

const batchNorm: Case = {
  build: (graph, w) =>
    graph.node(
      'BatchNormalization',
      ['x', w('weight', 6), w('bias', 6), w('running_mean', 6), w('running_var', 6)],
      { attributes: { epsilon: float(1e-3), momentum: float(0.7) } },
    ),
  output: [6, 9, 8],
};

const cases: Readonly<Record<string, Case>> = {
  'conv 3x3, same': conv([5, 6, 3, 3], { pads: [1, 1, 1, 1] }, [5, 9, 8]),
  'conv 3x3, stride 2, bias': conv([5, 6, 3, 3], { pads: [1, 1, 1, 1], strides: [2, 2] }, [5, 5, 4], true),
  'conv 1x1': conv([7, 6, 1, 1], {}, [7, 9, 8]),
  'conv 5x2, uneven pads': conv([4, 6, 5, 2], { pads: [2, 0, 1, 1], strides: [1, 2] }, [4, 8, 4]),
  'conv, two groups': conv([8, 3, 3, 3], { group: 2, pads: [1, 1, 1, 1] }, [8, 9, 8], true),
  'conv, depthwise': conv([6, 1, 3, 3], { group: 6, pads: [1, 1, 1, 1], strides: [2, 2] }, [6, 5, 4]),
  'conv, depthwise with multiplier': conv([12, 1, 3, 3], { group: 6, pads: [1, 1, 1, 1] }, [12, 9, 8]),
  'conv, depthwise, dilated': conv(
    [6, 1, 3, 3],
    { group: 6, dilations: [2, 2], pads: [2, 2, 2, 2] },
    [6, 9, 8],
  ),
  'conv, depthwise, uneven strides': conv(
    [6, 1, 3, 3],
    { group: 6, pads: [1, 1, 1, 1], strides: [2, 1] },
    [6, 5, 8],
  ),
  'conv, dilated': conv([5, 6, 3, 3], { dilations: [2, 3], pads: [2, 3, 2, 3] }, [5, 9, 8]),
  'batch norm': batchNorm,
  'batch norm of features': {
    build: (graph, w) => {
      const flat = graph.node('Flatten', [graph.node('GlobalAveragePool', ['x'])]);
      const parts = [w('weight', 6), w('bias', 6), w('running_mean', 6), w('running_var', 6)];
      return graph.node('BatchNormalization', [flat, ...parts]);
    },
    output: [6],
  },
  relu: node('Relu', {}, [6, 9, 8]),
  exp: node('Exp', {}, [6, 9, 8]),
  'leaky relu': node('LeakyRelu', { alpha: float(0.2) }, [6, 9, 8]),
  'log softmax': {
    build: (graph) => graph.node('LogSoftmax', [graph.node('Flatten', ['x'])], { attributes: { axis: 1 } }),
    output: [432],
  },
  transpose: {
    build: (graph) =>
      graph.node('Mul', [transposed(graph, 'x'), transposed(graph, graph.node('Sigmoid', ['x']))]),
    output: [8, 6, 9],
  },
  'differences and ratios': {
    build: (graph) => {
      const away = graph.node('Add', [graph.node('Sigmoid', ['x']), scalar(graph, 1)]);
      return graph.node('Sub', [graph.node('Div', ['x', away]), graph.node('GlobalAveragePool', ['x'])]);
    },
    output: [6, 9, 8],
  },
  'sum over channels': {
    build: (graph) => {
      const sum = graph.node('ReduceSum', ['x', ints(graph, 1)], { attributes: { keepdims: 1 } });
      return graph.node('Mul', ['x', sum]);
    },
    output: [6, 9, 8],
  },
  'conv 3x3 of few places': {
    build: (graph, w) => {
      const small = graph.node('MaxPool', ['x'], { attributes: { kernel_shape: [3, 3], strides: [3, 3] } });
      const attributes = { pads: [1, 1, 1, 1] };
      return graph.node('Conv', [small, w('weight', 7, 6, 3, 3), w('bias', 7)], { attributes });
    },
    output: [7, 3, 2],
  },
  'conv 3x3 to fewer channels': conv([2, 6, 3, 3], { pads: [1, 1, 1, 1] }, [2, 9, 8]),
  sigmoid: node('Sigmoid', {}, [6, 9, 8]),
  identity: node('Identity', {}, [6, 9, 8]),
  'hard swish': {
    build: (graph) => graph.node('HardSwish', [graph.node('Mul', ['x', scalar(graph, 3)])]),
    output: [6, 9, 8],
  },
  'hard sigmoid': {
    build: (graph) =>
      graph.node('HardSigmoid', [graph.node('Mul', ['x', scalar(graph, 3)])], {
        attributes: { alpha: float(1 / 6) },
      }),
    output: [6, 9, 8],
  },
  clip: {
    build: (graph) => graph.node('Clip', ['x', scalar(graph, 0), scalar(graph, 1)]),
    output: [6, 9, 8],
  },
  'clip, bounds that are cast': {
    build: (graph) => {
      const bound = (value: number) =>
        graph.node('Cast', [ints(graph, value)], { attributes: { to: ElementType.float } });
      return graph.node('Clip', ['x', bound(-1), bound(1)]);
    },
    output: [6, 9, 8],
  },
  'max pool': node('MaxPool', { kernel_shape: [2, 2], strides: [2, 2] }, [6, 4, 4]),
  'max pool, padded': node(
    'MaxPool',
    { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    [6, 5, 4],
  ),
  'max pool, ceil': node('MaxPool', { kernel_shape: [2, 3], strides: [2, 2], ceil_mode: 1 }, [6, 5, 4]),
  'average pool': node('AveragePool', { kernel_shape: [2, 2], strides: [2, 2] }, [6, 4, 4]),
  'average pool, padding counts': node(
    'AveragePool',
    { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1], count_include_pad: 1 },
    [6, 9, 8],
  ),
  'average pool, padding left out': node(
    'AveragePool',
    { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    [6, 5, 4],
  ),
  'global average pool': node('GlobalAveragePool', {}, [6, 1, 1]),
  'mean over H and W': {
    build: (graph) => graph.node('ReduceMean', ['x', ints(graph, 2, 3)], { attributes: { keepdims: 0 } }),
    output: [6],
  },
  'gemm of flattened pixels': {
    build: (graph, w) => {
      const flat = graph.node('Relu', [graph.node('Flatten', ['x'])]);
      return graph.node('Gemm', [flat, w('weight', 5, 432), w('bias', 5)], { attributes: { transB: 1 } });
    },
    output: [5],
  },
  'gemm, inputs first, no bias': {
    build: (graph, w) => graph.node('Gemm', [graph.node('Flatten', ['x']), w('weight', 432, 5)]),
    output: [5],
  },
  'squeezed means': {
    build: (graph, w) => {
      const flat = graph.node('Squeeze', [graph.node('GlobalAveragePool', ['x']), ints(graph, 2, 3)]);
      return graph.node('Gemm', [flat, w('weight', 5, 6), w('bias', 5)], { attributes: { transB: 1 } });
    },
    output: [5],
  },
  'constants that are nodes': {
    build: (graph) => {
      const constant = (value: number) =>
        graph.node('Constant', [], {
          attributes: { value: { dtype: 'float32', shape: [1], data: Float32Array.of(value) } },
        });
      return graph.node('Add', [constant(0.5), graph.node('Mul', ['x', constant(-2)])]);
    },
    output: [6, 9, 8],
  },
  'matmul and bias': {
    build: (graph, w) => {
      const flat = graph.node('Reshape', ['x', ints(graph, 0, -1)]);
      return graph.node('Add', [graph.node('MatMul', [flat, w('weight', 432, 5)]), w('constant', 5)]);
    },
    output: [5],
  },
  'flattened pixels, seen': node('Flatten', {}, [432]),
  'concat of channels': {
    build: (graph) =>
      graph.node('Concat', ['x', graph.node('Relu', ['x']), 'x'], { attributes: { axis: 1 } }),
    output: [18, 9, 8],
  },
  'concat of columns': {
    build: (graph) => graph.node('Concat', ['x', graph.node('Relu', ['x'])], { attributes: { axis: -1 } }),
    output: [6, 9, 16],
  },
  'add and multiply, broadcast': {
    build: (graph, w) => {
      const gate = graph.node('Sigmoid', [graph.node('GlobalAveragePool', ['x'])]);
      const scaled = graph.node('Mul', ['x', gate]);
      return graph.node('Add', [graph.node('Mul', [scaled, w('constant', 6, 1, 1)]), gate]);
    },
    output: [6, 9, 8],
  },
  'pad of channels': {
    build: (graph) => graph.node('Pad', ['x', ints(graph, 0, 2, 0, 1, 0, 3, 0, 0)]),
    output: [11, 9, 9],
  },
  'slice, every second': {
    build: (graph) =>
      graph.node('Slice', [
        'x',
        ints(graph, 0, 1),
        ints(graph, 2 ** 31 - 1, 2 ** 31 - 1),
        ints(graph, 2, 3),
        ints(graph, 2, 2),
      ]),
    output: [6, 5, 4],
  },
  'slice of channels': {
    build: (graph) =>
      graph.node('Slice', ['x', ints(graph, 1), ints(graph, 4), ints(graph, 1), ints(graph, 1)]),
    output: [3, 9, 8],
  },
};

/** Cases of operators that TensorFlow.js's engine does not know. */
const onlyHere = [
  'exp',
  'leaky relu',
  'log softmax',
  'transpose',
  'differences and ratios',
  'sum over channels',
];

function transposed(graph: GraphBuilder, value: string): string {
  return graph.node('Transpose', [value], { attributes: { perm: [0, 3, 1, 2] } });
}

const fileName = (name: string) => name.replaceAll(/\W+/g, '-');

describe('operators and their gradients beside PyTorch in float64', () => {
  let folder: string;
  const models = new Map<string, ModelProto>();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-operators-'));
    const random = new RandomState(3);
    for (const [name, { build, output }] of Object.entries(cases)) {
      const model = modelOf(build, output, random);
      models.set(name, model);
      const file = join(folder, fileName(name));
      await writeFile(`${file}.onnx`, encodeModel(model));
      await writeFile(`${file}.json`, JSON.stringify([BATCH, 6, 9, 8]));
      await writeFile(`${file}.input.bin`, normals(random, BATCH * 6 * 9 * 8));
      await writeFile(`${file}.dy.bin`, normals(random, BATCH * elementCount(output)));
    }
    await python('training.py', 'operators', folder, ...Object.keys(cases).map(fileName));
  });
  after(() => rm(folder, { recursive: true }));

  for (const [name, { output }] of Object.entries(cases))
    it(name, () => compare(name, (model, x, dy) => byGradientGraph(model, x, dy, output)));

  const { tf } = loadTensorFlow('tfjs-node');
  for (const [name, { output }] of Object.entries(cases)) {
    // TensorFlow.js's engine knows fewer operators; it says so.
    if (onlyHere.includes(name)) continue;
    const test = () => compare(name, (model, x, dy) => byTensorFlow(tf!, model, x, dy, output));
    if (tf) it(`${name} (tfjs-node)`, test);
    else it.skip(`${name} (tfjs-node)`, test);
  }

  async function compare(
    name: string,
    compute: (model: ModelProto, x: Float32Array, dy: Float32Array) => Promise<Part[]> | Part[],
  ): Promise<void> {
    const file = join(folder, fileName(name));
    const parts = await compute(
      models.get(name)!,
      await floats(`${file}.input.bin`),
      await floats(`${file}.dy.bin`),
    );
    const expected = new Float64Array((await readFile(`${file}.bin`)).buffer.slice(0));
    let offset = 0;
    for (const [part, values] of parts) {
      const wanted = expected.subarray(offset, (offset += values.length));
      expect(relativeDifference(values, wanted), part).to.be.below(1e-5);
    }
    expect(offset).equals(expected.length);
  }

  async function floats(file: string): Promise<Float32Array> {
    return new Float32Array((await readFile(file)).buffer.slice(0));
  }
});

/** The output, the gradients of the input and of the weights, and the statistics. */
type Part = [what: string, values: ArrayLike<number>];

async function byGradientGraph(
  model: ModelProto,
  x: Float32Array,
  dy: Float32Array,
  output: readonly number[],
): Promise<Part[]> {
  const { weights, statistics } = parametersOf(model);
  // The order is that of the initializers.
  const trained = model.graph.initializer.map(({ name }) => name).filter((name) => weights.includes(name));
  const shape = [BATCH, ...output];
  const summed = extendModel(model, (write) => {
    const weighed = write.node('Mul', ['y', write.input('dy', ElementType.float, shape)]);
    write.output('loss', write.node('ReduceSum', [weighed], { keepdims: 0 }), ElementType.float, []);
  });
  const run = await opened(gradientGraph(summed, 'loss', ['x', ...trained]));
  const values = await run({ x: { data: x, shape: [BATCH, 6, 9, 8] }, dy: { data: dy, shape } });
  return [
    ['output', values.y],
    ...['x', ...trained].map((name): Part => [`gradient of ${name}`, values[gradientOf(name)]]),
    ...statistics.map((name): Part => [name, values[nextOf(name)]]),
  ];
}

function byTensorFlow(
  tf: TensorFlow,
  model: ModelProto,
  input: Float32Array,
  gradient: Float32Array,
  output: readonly number[],
): Part[] {
  const before = tf.memory().numTensors;
  const graph = new TrainableGraph(model, tf);
  const x = tf.tensor(toImages(input, [6, 9, 8]), [BATCH, 9, 8, 6]);
  const pass = graph.forward(x, { gradients: true, inputGradient: true });
  const y = fromImages(pass.value('y').dataSync() as Float32Array, output);
  const [c, h, w] = output;
  const dy = tf.tensor(
    toImages(gradient, output),
    output.length === 3 ? [BATCH, h, w, c] : [BATCH, ...output],
  );
  const gradients = pass.backward(new Map([['y', dy]]));
  const parts: Part[] = [
    ['output', y],
    ['gradient of the input', fromImages(gradients.input!.dataSync() as Float32Array, [6, 9, 8])],
  ];
  for (const weight of graph.weights.values())
    parts.push([`gradient of ${weight.name}`, weight.read(gradients.weights.get(weight)!)]);
  for (const statistic of graph.statistics.values()) parts.push([statistic.name, statistic.read()]);
  for (const tensor of [...gradients.weights.values(), gradients.input!, x]) tensor.dispose();
  pass.dispose();
  graph.dispose();
  expect(tf.memory().numTensors, 'tensors left').equals(before);
  return parts;
}

function modelOf(build: Case['build'], output: readonly number[], random: RandomState): ModelProto {
  const graph = new GraphBuilder('case');
  graph.input('x', ElementType.float, ['batch', 6, 9, 8]);
  const weights: Weights = (name, ...shape) => {
    const data = normals(random, elementCount(shape));
    if (name === 'running_var') for (let i = 0; i < data.length; i++) data[i] = 0.5 + data[i] ** 2;
    return graph.initializer(name, { dtype: 'float32', shape, data });
  };
  const last = build(graph, weights);
  graph.node('Identity', [last], { name: 'y' });
  graph.output('y', ElementType.float, ['batch', ...output]);
  return graph.build();
}

function normals(random: RandomState, count: number): Float32Array {
  return Float32Array.from({ length: count }, () => random.normal());
}

/** N×C×H×W to N×H×W×C; anything else as it is. */
function toImages(values: Float32Array, [c, h, w]: readonly number[]): Float32Array {
  if (h === undefined) return values;
  const images = new Float32Array(values.length);
  for (let n = 0, i = 0; n < values.length / (c * h * w); n++)
    for (let k = 0; k < c; k++) for (let p = 0; p < h * w; p++) images[(n * h * w + p) * c + k] = values[i++];
  return images;
}

function fromImages(values: Float32Array, [c, h, w]: readonly number[]): Float32Array {
  if (h === undefined) return values;
  const planes = new Float32Array(values.length);
  for (let n = 0, i = 0; n < values.length / (c * h * w); n++)
    for (let k = 0; k < c; k++) for (let p = 0; p < h * w; p++) planes[i++] = values[(n * h * w + p) * c + k];
  return planes;
}

/** Of the largest expected value. */
function relativeDifference(actual: ArrayLike<number>, expected: Float64Array): number {
  expect(actual).to.have.length(expected.length);
  let [difference, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs(actual[i] - expected[i]));
    largest = Math.max(largest, Math.abs(expected[i]));
  }
  return difference / largest;
}
