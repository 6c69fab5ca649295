import { expect } from 'chai';
import { encodeBackboneMetadata } from '../../../models/metadata.ts';
import { RandomState } from '../../../src/common/random.ts';
import { GraphBuilder } from '../../../src/graph/builder.ts';
import { describeClassifier, toBackbone } from '../../../src/graph/classifier/classifier.ts';
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
