import type { Tensor } from '../../../src/common/tensor.ts';
import { float, GraphBuilder } from '../../../src/graph/builder.ts';
import { ElementType, type GraphProto, type ModelProto, type NodeProto } from '../../../src/graph/onnx.ts';
import { random } from './networks.ts';

/**
 * A classifier of 8×8 images, `conv1`, `act1`, `conv2`, `act2`, `pool`, `flat`, `scores`, with one thing or another as
 * exporters and quantisers make it.
 */
export interface OddExport {
  readonly batch?: number | string;
  readonly opset?: number;
  /** What the values are called, in place of the names above. */
  readonly names?: Readonly<Record<string, string>>;
  readonly dtype?: 'float' | 'float16' | 'double';
  /** Divides by 1e-8 before the last layer, which float16 takes for 0. */
  readonly underflows?: boolean;
  readonly quantized?: 'QDQ' | 'dynamic';
  readonly classes?: number;
  /** Flattens with Reshape to this shape. */
  readonly reshape?: readonly number[];
}

export function oddExport(odd: OddExport = {}): ModelProto {
  const { batch = 'N', opset = 17, names = {}, dtype = 'float', quantized, classes = 5, reshape } = odd;
  const graph = new GraphBuilder('odd');
  const named = (name: string) => names[name] ?? name;
  const constant = (name: string, shape: number[], seed: number) => {
    const tensor = random(shape, seed);
    return graph.initializer(name, { shape, ...typed(tensor.data as Float32Array, dtype) });
  };
  const scalar = (name: string, value: number) =>
    graph.initializer(name, { dtype: 'float32', shape: [], data: Float32Array.of(value) });
  const byte = (name: string, value: number) =>
    graph.initializer(name, { dtype: 'uint8', shape: [], data: Uint8Array.of(value) });
  const integers = (name: string, shape: number[], seed: number) => {
    const data = Int8Array.from(random(shape, seed).data as Float32Array, (value) => Math.round(200 * value));
    return graph.initializer(name, { dtype: 'int8', shape, data });
  };
  const quantize = (x: string) => {
    const [scale, zero] = [scalar(`${x}_scale`, 0.05), byte(`${x}_zero`, 128)];
    const q = graph.node('QuantizeLinear', [x, scale, zero], { name: `${x}_q` });
    return graph.node('DequantizeLinear', [q, scale, zero], { name: `${x}_dq` });
  };
  const dynamicProduct = (operator: string, x: string, name: string, shape: number[], attributes = {}) => {
    const range = [`${name}_x`, `${name}_x_scale`, `${name}_x_zero`];
    graph.node('DynamicQuantizeLinear', [x], { name: `${name}_range`, outputs: range });
    const product = graph.node(operator, [range[0], integers(`${name}_w`, shape, shape.length), range[2]], {
      name: `${name}_product`,
      attributes,
    });
    const cast = graph.node('Cast', [product], {
      name: `${name}_cast`,
      attributes: { to: ElementType.float },
    });
    const scale = graph.node('Mul', [range[1], scalar(`${name}_w_scale`, 0.005)], { name: `${name}_scale` });
    return graph.node('Mul', [cast, scale], { name });
  };
  const conv = (x: string, name: string, shape: number[]) => {
    const attributes = { pads: [1, 1, 1, 1] };
    if (quantized === 'dynamic') return dynamicProduct('ConvInteger', x, named(name), shape, attributes);
    const weight = constant(`${name}.weight`, shape, shape[1]);
    const y = graph.node('Conv', [x, weight], { name: `${name}_node`, outputs: [named(name)], attributes });
    return quantized === 'QDQ' ? quantize(y) : y;
  };
  graph.input('image', ElementType[dtype], [batch, 3, 8, 8]);
  const first = quantized === 'QDQ' ? quantize('image') : 'image';
  const relu = (x: string, name: string) =>
    graph.node('Relu', [x], { name: `${name}_node`, outputs: [named(name)] });
  let x = relu(conv(first, 'conv1', [4, 3, 3, 3]), 'act1');
  x = relu(conv(x, 'conv2', [6, 4, 3, 3]), 'act2');
  x = graph.node('GlobalAveragePool', [x], { name: 'pool_node', outputs: [named('pool')] });
  x = reshape
    ? graph.node('Reshape', [x, graph.int64s('to', reshape)], { name: named('flat') })
    : graph.node('Flatten', [x], { name: named('flat') });
  if (odd.underflows) {
    const tiny = graph.initializer('tiny', { shape: [], ...typed(Float32Array.of(1e-8), dtype) });
    x = graph.node('Div', [x, tiny], { name: 'quotient' });
  }
  const scores =
    quantized === 'dynamic'
      ? dynamicProduct('MatMulInteger', x, named('scores'), [6, classes])
      : graph.node('MatMul', [x, constant('fc.weight', [6, classes], 3)], { name: named('scores') });
  graph.output(scores, ElementType[dtype], [batch, classes]);
  return graph.build({ opset });
}

function typed(values: Float32Array, dtype: NonNullable<OddExport['dtype']>): Omit<Tensor, 'shape'> {
  if (dtype === 'double') return { dtype: 'float64', data: Float64Array.from(values) };
  return dtype === 'float16'
    ? { dtype, data: Uint16Array.from(values, float16Bits) }
    : { dtype: 'float32', data: values };
}

/** IEEE 754 binary16, cut off; for values below 65,504. */
function float16Bits(value: number): number {
  const sign = value < 0 ? 0x8000 : 0;
  const size = Math.abs(value);
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const fraction = Math.trunc(size * 2 ** (10 - exponent));
  return fraction < 1024 ? sign | fraction : sign | ((exponent + 15) << 10) | (fraction - 1024);
}

/** Integers from the first operator to the last, as onnxruntime's QOperator form has them. */
export function integersAllTheWay(): ModelProto {
  const graph = new GraphBuilder('integers');
  const scale = graph.initializer('scale', { dtype: 'float32', shape: [], data: Float32Array.of(0.05) });
  const zero = graph.initializer('zero', { dtype: 'uint8', shape: [], data: Uint8Array.of(128) });
  const weights = Int8Array.from({ length: 5 * 3 * 64 }, (_, i) => (i * 37) % 100);
  const weight = graph.initializer('weight', { dtype: 'int8', shape: [5, 3, 8, 8], data: weights });
  const none = graph.initializer('none', { dtype: 'int8', shape: [], data: Int8Array.of(0) });
  graph.input('image', ElementType.float, ['N', 3, 8, 8]);
  const x = graph.node('QuantizeLinear', ['image', scale, zero], { name: 'image_q' });
  const y = graph.node('QLinearConv', [x, scale, zero, weight, scale, none, scale, zero], { name: 'conv' });
  const flat = graph.node('Flatten', [y], { name: 'flat' });
  graph.node('DequantizeLinear', [flat, scale, zero], { name: 'scores' });
  graph.output('scores', ElementType.float, ['N', 5]);
  return graph.build({ opset: 17 });
}

/** Sizes of all inputs, outputs and values within, changed. */
export function withBatch(model: ModelProto, size: number): ModelProto {
  const changed = (values: GraphProto['input']) => {
    for (const { type } of values) {
      const dim = type?.tensorType?.shape?.dim;
      if (dim) dim[0] = { dimValue: size };
    }
  };
  changed(model.graph.input);
  changed(model.graph.output);
  return model;
}

/** With other nodes behind its scores, which yield these outputs. */
export function withEnding(model: ModelProto, nodes: NodeProto[], output: GraphProto['output']): ModelProto {
  const opsetImport = [...model.opsetImport, { domain: 'ai.onnx.ml', version: 3 }];
  return { ...model, opsetImport, graph: { ...model.graph, node: [...model.graph.node, ...nodes], output } };
}

/**
 * Attention whose keys and values lie in one stack, 2×N×heads×tokens×d, the first axis as long as a small batch; the graph
 * computes its shapes, so that they have to be observed.
 */
export function stackedAttention(): ModelProto {
  const [tokens, width, heads] = [16, 8, 2];
  const graph = new GraphBuilder('stacked');
  graph.input('image', ElementType.float, ['N', 3, 8, 8]);
  graph.initializer('embed.weight', random([width, 3, 2, 2], 2));
  graph.node('Conv', ['image', 'embed.weight'], { name: 'embed', attributes: { strides: [2, 2] } });
  graph.node('Reshape', ['embed', graph.int64s('columns', [0, width, tokens])], { name: 'columns_of' });
  graph.node('Transpose', ['columns_of'], { name: 'tokens', attributes: { perm: [0, 2, 1] } });
  graph.initializer('kv.weight', random([width, 2 * width], 5));
  graph.node('MatMul', ['tokens', 'kv.weight'], { name: 'kv' });
  const images = graph.node('Shape', ['kv'], { name: 'images', attributes: { start: 0, end: 1 } });
  const parted = graph.node('Concat', [images, graph.int64s('rest', [tokens, 2, heads, width / heads])], {
    name: 'parted_shape',
    attributes: { axis: 0 },
  });
  graph.node('Reshape', ['kv', parted], { name: 'parted' });
  graph.node('Transpose', ['parted'], { name: 'stack', attributes: { perm: [2, 0, 3, 1, 4] } });
  for (const [name, at] of [
    ['k', 0n],
    ['v', 1n],
  ] as const) {
    graph.initializer(`${name}_at`, { dtype: 'int64', shape: [], data: BigInt64Array.of(at) });
    graph.node('Gather', ['stack', `${name}_at`], { name, attributes: { axis: 0 } });
  }
  graph.node('Transpose', ['k'], { name: 'k_t', attributes: { perm: [0, 1, 3, 2] } });
  graph.node('MatMul', ['k', 'k_t'], { name: 'similarity' });
  graph.node('Softmax', ['similarity'], { name: 'weights', attributes: { axis: -1 } });
  graph.node('MatMul', ['weights', 'v'], { name: 'by_head' });
  graph.node('Transpose', ['by_head'], { name: 'by_token', attributes: { perm: [0, 2, 1, 3] } });
  const whole = graph.node('Concat', [images, graph.int64s('whole', [tokens, width])], {
    name: 'whole_shape',
    attributes: { axis: 0 },
  });
  graph.node('Reshape', ['by_token', whole], { name: 'attended' });
  graph.node('Add', ['tokens', 'attended'], { name: 'sum' });
  graph.node('ReduceMean', ['sum'], { name: 'mean', attributes: { axes: [1], keepdims: 0 } });
  graph.initializer('fc.weight', random([width, 5], 3));
  graph.node('MatMul', ['mean', 'fc.weight'], { name: 'scores' });
  graph.output('scores', ElementType.float, ['N', 5]);
  return graph.build({ opset: 17 });
}

/** The network with its first activation within an If, whose branches are said in operators of the model's own opset. */
export function withBranches(opset: number): ModelProto {
  const model = oddExport({ opset });
  const branch = (name: string): GraphProto => {
    const inner = new GraphBuilder(name);
    inner.input('conv1', ElementType.float, ['N', 4, 8, 8]);
    inner.node('LeakyRelu', ['conv1'], { name: `${name}_leaky`, attributes: { alpha: float(0.1) } });
    const axes = { axes: [2], keepdims: 1 };
    // Its axes are an attribute before opset 18, and an input from there on.
    const reduced = opset < 18 ? [`${name}_leaky`] : [`${name}_leaky`, inner.int64s(`${name}_axes`, [2])];
    inner.node('ReduceMax', reduced, {
      name: `${name}_max`,
      attributes: opset < 18 ? axes : { keepdims: 1 },
    });
    inner.node('Sub', [`${name}_leaky`, `${name}_max`], { name });
    inner.output(name, ElementType.float, ['N', 4, 8, 8]);
    return { ...inner.build().graph, input: [] };
  };
  const conditional = new GraphBuilder('if');
  conditional.initializer('cond', { dtype: 'bool', shape: [], data: Uint8Array.of(1) });
  conditional.node('If', ['cond'], {
    name: 'choice',
    outputs: ['act1'],
    attributes: { then_branch: branch('then'), else_branch: branch('else') },
  });
  const { node, initializer } = conditional.build().graph;
  const nodes = model.graph.node.map((own) => (own.output[0] === 'act1' ? node[0] : own));
  return {
    ...model,
    graph: { ...model.graph, node: nodes, initializer: [...model.graph.initializer, ...initializer] },
  };
}
