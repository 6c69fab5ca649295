import type { DType, Tensor } from '../../../src/common/tensor.ts';
import { elementCount } from '../../../src/common/tensor.ts';
import { GraphBuilder } from '../../../src/graph/builder.ts';
import { type TapCandidate, tapCandidates } from '../../../src/graph/classifier/candidates.ts';
import { describeClassifier, toBackbone } from '../../../src/graph/classifier/classifier.ts';
import { ElementType, type ModelProto } from '../../../src/graph/onnx.ts';
import { numbers } from '../models.ts';

/** Small classifiers of five classes, as exporters write them. */

export interface ConvolutionalNet {
  readonly layout?: 'NCHW' | 'NHWC';
  readonly batch?: number | string;
  readonly size?: number | string;
  readonly opset?: number;
  readonly dtype?: 'float32' | 'uint8';
  /** Residual blocks. */
  readonly blocks?: number;
  /** What stands behind the logits. */
  readonly ending?: readonly string[];
}

/**
 * `stem`, then per block `conv0a`, `conv0b` and their sum `sum0` with the shortcut; the mean, and `logits`. In NHWC each
 * convolution stands between two transpositions, as tf2onnx writes it.
 */
export function convolutionalNet(net: ConvolutionalNet = {}): ModelProto {
  const { layout = 'NCHW', batch = 'batch', size = 8, opset = 13, dtype = 'float32', blocks = 1 } = net;
  const { ending = [] } = net;
  const last = layout === 'NHWC';
  const graph = new GraphBuilder('convolutional');
  const shape = last ? [batch, size, size, 3] : [batch, 3, size, size];
  graph.input('image', dtype === 'uint8' ? ElementType.uint8 : ElementType.float, shape);
  const floats =
    dtype === 'uint8' ? graph.node('Cast', ['image'], { attributes: { to: ElementType.float } }) : 'image';
  const convolution = (name: string, x: string, inputs: number) => {
    const weight = graph.initializer(`${name}.weight`, random([4, inputs, 3, 3], inputs));
    const planes = last ? graph.node('Transpose', [x], { attributes: { perm: [0, 3, 1, 2] } }) : x;
    graph.node('Conv', [planes, weight], { name, attributes: { pads: [1, 1, 1, 1] } });
    return last ? graph.node('Transpose', [name], { attributes: { perm: [0, 2, 3, 1] } }) : name;
  };
  let x = graph.node('Relu', [convolution('stem', floats, 3)]);
  for (let block = 0; block < blocks; block++) {
    const inner = graph.node('Relu', [convolution(`conv${block}a`, x, 4)]);
    const sum = graph.node('Add', [x, convolution(`conv${block}b`, inner, 4)], { name: `sum${block}` });
    x = graph.node('Relu', [sum], { name: `block${block}` });
  }
  graph.node('ReduceMean', [x], { name: 'pool', attributes: { axes: last ? [1, 2] : [2, 3], keepdims: 0 } });
  graph.initializer('fc.weight', random([5, 4], 3));
  let output = graph.node('Gemm', ['pool', 'fc.weight'], { name: 'scores', attributes: { transB: 1 } });
  for (const operator of ending) {
    const name = operator.toLowerCase();
    const attributes: Record<string, number> = {};
    if (operator === 'Cast') attributes.to = ElementType.float;
    if (operator.endsWith('Softmax')) attributes.axis = opset < 13 ? 1 : -1;
    output = graph.node(operator, [output], { name, attributes });
  }
  graph.output(output, ElementType.float, [batch, 5]);
  return graph.build({ opset });
}

/**
 * A transformer of 16 patches and a class token, with one attention block, `attended`, and one MLP, `expanded` and back
 * with a GELU approximated by its cubic; its normalisations are left out. `sum0` and `sum1` end the blocks.
 */
export function transformer(): ModelProto {
  const width = 6;
  const graph = new GraphBuilder('transformer');
  const linear = (name: string, x: string, inputs: number, outputs: number) => {
    graph.initializer(`${name}.weight`, random([inputs, outputs], inputs));
    return graph.node('MatMul', [x, `${name}.weight`], { name });
  };
  graph.input('image', ElementType.float, ['batch', 3, 8, 8]);
  graph.initializer('embed.weight', random([width, 3, 2, 2], 2));
  graph.node('Conv', ['image', 'embed.weight'], { name: 'embed', attributes: { strides: [2, 2] } });
  graph.node('Reshape', ['embed', graph.int64s('patches', [0, width, 16])], { name: 'flat' });
  graph.node('Transpose', ['flat'], { name: 'tokens', attributes: { perm: [0, 2, 1] } });
  // The class token for as many images as there are: through the graph's own shapes.
  graph.node('Shape', ['image'], { name: 'sizes' });
  graph.node('Slice', ['sizes', graph.int64s('zero', [0]), graph.int64s('one', [1])], { name: 'images' });
  graph.int64s('rest', [1, width]);
  graph.node('Concat', ['images', 'rest'], { name: 'shape', attributes: { axis: 0 } });
  graph.initializer('class', random([1, 1, width], 4));
  graph.node('Expand', ['class', 'shape'], { name: 'class_tokens' });
  graph.node('Concat', ['class_tokens', 'tokens'], { name: 'sequence', attributes: { axis: 1 } });

  const [query, key, value] = ['query', 'key', 'value'].map((name) => linear(name, 'sequence', width, width));
  graph.node('Transpose', [key], { name: 'key_t', attributes: { perm: [0, 2, 1] } });
  graph.node('MatMul', [query, 'key_t'], { name: 'similarity' });
  graph.node('Softmax', ['similarity'], { name: 'weights', attributes: { axis: -1 } });
  graph.node('MatMul', ['weights', value], { name: 'attended' });
  graph.node('Add', ['sequence', 'attended'], { name: 'sum0' });
  const expanded = linear('expanded', 'sum0', width, 2 * width);
  const cube = graph.node('Mul', [graph.node('Mul', [expanded, expanded]), expanded], { name: 'cube' });
  const gelu = graph.node('Add', [expanded, cube], { name: 'gelu' });
  graph.node('Add', ['sum0', linear('contracted', gelu, 2 * width, width)], { name: 'sum1' });

  graph.initializer('first', { dtype: 'int64', shape: [], data: BigInt64Array.of(0n) });
  graph.node('Gather', ['sum1', 'first'], { name: 'token', attributes: { axis: 1 } });
  graph.output(linear('scores', 'token', width, 5), ElementType.float, ['batch', 5]);
  return graph.build();
}

/** The convolutional net with two outputs more: probabilities of the same logits, and scores of an auxiliary head. */
export function severalOutputs(): ModelProto {
  const model = convolutionalNet();
  const { graph } = model;
  const extra = new GraphBuilder('extra');
  extra.input('scores', ElementType.float, ['batch', 5]);
  extra.input('pool', ElementType.float, ['batch', 4]);
  extra.initializer('aux.weight', random([4, 7], 5));
  extra.node('Softmax', ['scores'], { name: 'probabilities', attributes: { axis: -1 } });
  extra.node('MatMul', ['pool', 'aux.weight'], { name: 'aux' });
  extra.output('probabilities', ElementType.float, ['batch', 5]);
  extra.output('aux', ElementType.float, ['batch', 7]);
  const more = extra.build().graph;
  return {
    ...model,
    graph: {
      ...graph,
      node: [...graph.node, ...more.node],
      initializer: [...graph.initializer, ...more.initializer],
      output: [...graph.output, ...more.output],
    },
  };
}

export function random(shape: number[], seed: number): Tensor & { dtype: DType } {
  return { dtype: 'float32', shape, data: numbers(elementCount(shape), seed) };
}

/** The tap candidates of a network's backbone. */
export function candidatesOf(model: ModelProto): TapCandidate[] {
  const backbone = toBackbone(model, 'net.onnx');
  return tapCandidates(backbone, describeClassifier(backbone, 'net.onnx'));
}
