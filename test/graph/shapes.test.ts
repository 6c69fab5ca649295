import { expect } from 'chai';
import fc from 'fast-check';
import { GraphError } from '../../src/common/errors.ts';
import { elementCount, type Tensor } from '../../src/common/tensor.ts';
import { type Attribute, float, GraphBuilder } from '../../src/graph/builder.ts';
import { ElementType, type ModelProto } from '../../src/graph/onnx.ts';
import { shapeRules } from '../../src/graph/shape-rules.ts';
import { inferShapes, type Shape } from '../../src/graph/shapes.ts';
import { numbers, runModel, smallNet } from './models.ts';

/** What stands for the free size `n` when a model is run. */
const N = 2;

interface Case {
  readonly op: string;
  readonly attributes?: Record<string, Attribute>;
  /** Float inputs by their shapes; lists of int64 by their contents; undefined is left out. The first is `x`. */
  readonly inputs: readonly (Floats | Ints | undefined)[];
  readonly outputs?: number;
  readonly opset?: number;
}
interface Floats {
  readonly floats: readonly (number | string)[];
}
interface Ints {
  readonly ints: readonly number[];
}
const x = (...floats: (number | string)[]): Floats => ({ floats });
const ints = (...ints: number[]): Ints => ({ ints });
const image = x('n', 6, 9, 8);
const matrix = x('n', 6);

const on = (
  op: string,
  inputs: Case['inputs'],
  attributes: Case['attributes'] = {},
  more: Pick<Case, 'outputs' | 'opset'> = {},
): Case => ({ op, inputs, attributes, ...more });

const unary =
  'Abs Ceil Clip Elu Erf Exp Floor HardSigmoid HardSwish Identity LeakyRelu Log LogSoftmax Mish Neg Reciprocal Relu ' +
  'Round Selu Shape Sigmoid Sign Softmax Softplus Softsign Sqrt Tanh ThresholdedRelu Transpose Flatten ' +
  'GlobalAveragePool GlobalMaxPool';
const cases: Case[] = [
  ...unary.split(' ').map((op) => on(op, [image])),
  ...['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Pow', 'Sum', 'Mean', 'PRelu'].flatMap((op) => [
    on(op, [image, x(6, 1, 1)]),
    on(op, [image, x()]),
  ]),
  on('Add', [x('n', 1), x(3, 1, 4)]),
  on('Greater', [image, x(8)]),
  on('Cast', [image], { to: ElementType.int32 }),
  on('Dropout', [image], {}, { outputs: 2 }),
  on('BatchNormalization', [image, x(6), x(6), x(6), x(6)]),
  on('InstanceNormalization', [image, x(6), x(6)]),
  on('LayerNormalization', [image, x(8)]),
  on('LRN', [image], { size: 3 }),
  on('Conv', [image, x(4, 6, 3, 3)]),
  on('Conv', [image, x(4, 3, 3, 2), x(4)], { group: 2, strides: [2, 3], pads: [0, 1, 2, 1] }),
  on('Conv', [image, x(4, 6, 3, 3)], { dilations: [2, 3] }),
  on('Conv', [image, x(4, 6, 3, 3)], { auto_pad: 'SAME_UPPER', strides: [2, 3] }),
  on('Conv', [image, x(4, 6, 3, 3)], { auto_pad: 'VALID' }),
  on('MaxPool', [image], { kernel_shape: [2, 2], strides: [2, 2] }, { outputs: 2 }),
  ...['MaxPool', 'AveragePool'].flatMap((op) =>
    [1, 2, 3, 4].flatMap((stride) =>
      [0, 1].map((pad) =>
        on(op, [image], {
          ceil_mode: 1,
          kernel_shape: [2, 3],
          strides: [stride, stride],
          pads: [pad, pad, pad, pad],
        }),
      ),
    ),
  ),
  on('Gemm', [matrix, x(4, 6)], { transB: 1 }),
  on('Gemm', [x(6, 'n'), x(6, 4)], { transA: 1, alpha: float(2) }),
  on('MatMul', [matrix, x(6, 4)]),
  on('MatMul', [image, x(8, 4)]),
  on('MatMul', [image, x(8)]),
  on('MatMul', [x(9), image]),
  on('MatMul', [x('n', 1, 3, 4), x(5, 4, 2)]),
  on('Concat', [image, image], { axis: 1 }),
  on('Concat', [image, image], { axis: -1 }),
  ...[0, 2, 4, -1].map((axis) => on('Flatten', [x(2, 3, 4, 5)], { axis })),
  on('Reshape', [image, ints(0, -1)]),
  on('Reshape', [image, ints(-1, 432)]),
  on('Reshape', [image, ints(0, 2, 3, 0, -1)]),
  on('Reshape', [image, ints(0, 0, -1)]),
  on('Reshape', [x('n', 6, 1, 1), ints(-1, 6)]),
  on('Reshape', [x(0, 6), ints(6, 0)], { allowzero: 1 }),
  on('Transpose', [image], { perm: [0, 2, 3, 1] }),
  on('Pad', [image, ints(0, 0, 1, 2, 0, 0, 3, 4)]),
  on('Pad', [image, ints(1, 2, 3, 4), undefined, ints(-1, 2)]),
  on('Slice', [image, ints(1, 0), ints(Number.MAX_SAFE_INTEGER, 5), ints(2, -1)]),
  on('Slice', [image, ints(-1), ints(-Number.MAX_SAFE_INTEGER), ints(1), ints(-2)]),
  on('Slice', [image, ints(-1), ints(-Number.MAX_SAFE_INTEGER), ints(2), ints(-2)]),
  on('Slice', [image, ints(100), ints(-Number.MAX_SAFE_INTEGER), ints(2), ints(-1)]),
  on('Slice', [image, ints(0, 1), ints(9, 8), ints(2, 3), ints(2, 3)]),
  on('Split', [image], { axis: 1, num_outputs: 3 }, { outputs: 3 }),
  on('Split', [image], { axis: 3, num_outputs: 3 }, { outputs: 3 }),
  on('Split', [image, ints(2, 4)], { axis: -3 }, { outputs: 2 }),
  on('Gather', [image, ints(3, 1)], { axis: 1 }),
  on('Unsqueeze', [image, ints(0, -1)]),
  on('Squeeze', [x('n', 6, 1, 1), ints(2, -1)]),
  on('Squeeze', [x(3, 1, 2, 1)]),
  on('Expand', [x('n', 1), ints(3, 1, 4)]),
  on('OneHot', [ints(1, 0, 1), ints(5), x(2)]),
  on('OneHot', [ints(1, 0, 1), ints(5), x(2)], { axis: -1 }),
  on('ConstantOfShape', [ints(2, 3)]),
  on('Shape', [image], { start: 1, end: 3 }),
  on('Shape', [image], { start: -1 }),
  on('QuantizeLinear', [image, x()]),
  on('Constant', [], { value: { dtype: 'int32', shape: [2, 3], data: new Int32Array(6) } }),
  on('ArgMax', [image], { axis: 1 }),
  on('ArgMax', [image], { axis: -1, keepdims: 0 }),
  ...['ReduceMean', 'ReduceMax', 'ReduceSum', 'ReduceL2'].flatMap((op) => [
    on(op, [image, ints(2, -1)]),
    on(op, [image, ints(2, 3)], { keepdims: 0 }),
    on(op, [image]),
    on(op, [image], { noop_with_empty_axes: 1 }),
  ]),
  on('ReduceMean', [image], { axes: [2, 3], keepdims: 0 }, { opset: 13 }),
  on('Squeeze', [x('n', 6, 1, 1)], { axes: [2, 3] }, { opset: 11 }),
  on('Unsqueeze', [image], { axes: [1] }, { opset: 11 }),
  on('Pad', [image], { pads: [0, 0, 1, 2, 0, 0, 3, 4] }, { opset: 10 }),
  on('Slice', [image], { starts: [1], ends: [-1], axes: [2] }, { opset: 9 }),
  on('Split', [image], { axis: 1, split: [1, 5] }, { outputs: 2, opset: 11 }),
];

describe('inferShapes', () => {
  for (const one of cases)
    it(`says what onnxruntime finds for ${title(one)}`, async () => {
      const { model, feeds } = build(one);
      const types = inferShapes(model);
      const yielded = await runModel(model, feeds);
      for (const { name } of model.graph.output) {
        const { elemType, shape } = types.get(name)!;
        expect(shape?.map((size) => (size === 'n' ? N : size))).to.deep.equal([...yielded[name].dims]);
        expect(elemType).to.equal(ortTypes[yielded[name].type]);
      }
    });

  it('follows a shape that the graph computes, as PyTorch exports x.view(x.size(0), -1)', () => {
    const graph = new GraphBuilder('view');
    graph.input('x', ElementType.float, ['n', 6, 9, 8]);
    graph.node('Shape', ['x'], { name: 'shape' });
    graph.initializer('zero', { dtype: 'int64', shape: [], data: BigInt64Array.of(0n) });
    graph.node('Gather', ['shape', 'zero'], { name: 'size' });
    graph.node('Unsqueeze', ['size', graph.int64s('axes', [0])], { name: 'rows' });
    graph.node('Concat', ['rows', graph.int64s('rest', [-1])], { name: 'target', attributes: { axis: 0 } });
    graph.node('Reshape', ['x', 'target'], { name: 'flat' });
    graph.output('flat', ElementType.float, ['n', 'm']);
    expect(inferShapes(graph.build()).get('flat')).to.deep.equal({
      elemType: ElementType.float,
      shape: ['n', 432],
    });
  });

  describe('where sizes are free', () => {
    const open = x('n', 6, 'h', 8);
    const free: [Case, Shape | undefined][] = [
      [on('Conv', [open, x(4, 6, 3, 3)]), ['n', 4, undefined, 6]],
      [on('Conv', [open, x(4, 6, 'k', 3)]), ['n', 4, undefined, 6]],
      [on('Slice', [open, ints(1, 1), ints(3, 3), ints(1, 2)]), ['n', 2, undefined, 8]],
      [on('Pad', [open, ints(0, 0, 1, 0, 0, 0, 0, 2)]), ['n', 6, undefined, 10]],
      [on('Split', [open], { axis: 2 }, { outputs: 2 }), ['n', 6, undefined, 8]],
      [on('Concat', [open, open], { axis: 2 }), ['n', 6, undefined, 8]],
      [on('Concat', [open, x('n', 6, 5, 8)], { axis: 1 }), ['n', 12, 5, 8]],
      [on('Concat', [open, x('n', 'c', 'h', 8)], { axis: 1 }), ['n', undefined, 'h', 8]],
      [on('Flatten', [open]), ['n', undefined]],
      [on('Flatten', [x('n', 1, 'h', 1)]), ['n', 'h']],
      [on('Flatten', [x('n', 1, 'h', 'w')]), ['n', undefined]],
      [on('Squeeze', [x('n', 1, 'h', 1)]), undefined],
      [on('Add', [open, x('n', 6, 5, 1)]), ['n', 6, 5, 8]],
      [on('Add', [x('n', 6, 5, 1), open]), ['n', 6, 5, 8]],
      [on('Add', [open, x('n', 6, 'w', 1)]), ['n', 6, undefined, 8]],
      [on('Reshape', [open, ints(0, -1)]), ['n', undefined]],
      [on('Reshape', [x('n', 6, 2), ints(-1, 12)]), ['n', 12]],
      [on('Reshape', [x('n', 6, 2), ints(-1, 4)]), [undefined, 4]],
      [on('Reshape', [x(4, 6), ints(5, -1)]), [5, undefined]],
      [on('Reshape', [x('', 6, 8), ints(0, -1)]), [undefined, 48]],
      [on('Reshape', [x('n', '', 8), ints(0, 0, -1)]), ['n', undefined, 8]],
      [on('Reshape', [x('n', '', 8), ints(0, -1)]), ['n', undefined]],
      [on('Conv', [open, x(4, 6, 3, 3)], { auto_pad: 'VALID', pads: [1, 1, 1, 1] }), ['n', 4, undefined, 6]],
      [on('OneHot', [x('n'), ints(5), x(2)], { axis: 0 }), undefined],
    ];
    for (const [one, shape] of free)
      it(`says what it can of ${title(one)}`, () => {
        expect(inferShapes(build(one).model).get('y0')!.shape).to.deep.equal(shape);
      });

    it('says the number of axes where a list is computed that nobody knows before', () => {
      const graph = new GraphBuilder('computed');
      graph.input('x', ElementType.float, ['n', 6, 9, 8]);
      graph.input('two', ElementType.int64, [2]);
      graph.input('many', ElementType.int64, [65]);
      graph.input('some', ElementType.int64, ['k']);
      graph.node('Reshape', ['x', 'two'], { name: 'reshaped' });
      graph.node('Reshape', ['x', 'many'], { name: 'too_many' });
      graph.node('Reshape', ['x', 'some'], { name: 'of_some' });
      graph.node('ReduceMean', ['x', 'two'], { name: 'kept' });
      graph.node('ReduceMean', ['x', 'two'], { name: 'reduced', attributes: { keepdims: 0 } });
      graph.node('Slice', ['x', 'two', 'two', 'two'], { name: 'sliced' });
      graph.node('Slice', ['x', graph.int64s('from', [0]), graph.int64s('to', [4]), 'some'], {
        name: 'along',
      });
      graph.node('Pad', ['x', 'two', '', 'some'], { name: 'padded' });
      graph.node('Shape', ['x'], { name: 'batch', attributes: { end: 1 } });
      const one = graph.int64s('one', [1]);
      graph.node('Slice', ['x', graph.int64s('zero', [0]), 'batch', one], { name: 'to_batch' });
      graph.node('Slice', ['x', 'batch', graph.int64s('six', [6]), one], { name: 'from_batch' });
      graph.node('Slice', ['x', 'zero', 'six', one, 'batch'], { name: 'by_batch' });
      graph.node('Pad', ['x', 'batch', '', one], { name: 'padded_by_batch' });
      const types = inferShapes(graph.build());
      const four = Array(4).fill(undefined);
      expect(types.get('reshaped')!.shape).to.deep.equal([undefined, undefined]);
      for (const name of ['too_many', 'of_some', 'reduced'])
        expect(types.get(name)!.shape, name).to.equal(undefined);
      for (const name of ['kept', 'sliced', 'along'])
        expect(types.get(name)!.shape, name).to.deep.equal(four);
      expect(types.get('padded')!.shape).to.deep.equal(four);
      for (const name of ['to_batch', 'from_batch', 'by_batch', 'padded_by_batch'])
        expect(types.get(name)!.shape, name).to.deep.equal(['n', undefined, 9, 8]);
    });
  });

  it('follows lists through the operators that exporters compute shapes with', () => {
    const list = (add: (graph: GraphBuilder) => string) => {
      const graph = new GraphBuilder('list');
      graph.input('x', ElementType.float, ['n', 6, 9, 8]);
      graph.node('Shape', ['x'], { name: 'sizes' });
      graph.node('Expand', [graph.node('Constant', [], { attributes: { value: one } }), add(graph)], {
        name: 'y',
      });
      return inferShapes(graph.build({ domains: { 'com.example': 1 } })).get('y')!.shape;
    };
    const one: Tensor = { dtype: 'float32', shape: [], data: Float32Array.of(1) };
    const int32s: Tensor = { dtype: 'int32', shape: [2], data: Int32Array.of(2, 3) };
    const value = (graph: GraphBuilder, tensor: Tensor) =>
      graph.node('Constant', [], { attributes: { value: tensor } });
    const zero = (graph: GraphBuilder) => graph.int64s('zero', [0]);
    const two = (graph: GraphBuilder) => graph.int64s('two', [2]);
    expect(list(() => 'sizes')).to.deep.equal(['n', 6, 9, 8]);
    expect(list((g) => g.node('Shape', ['x'], { attributes: { start: 1, end: 3 } }))).to.deep.equal([6, 9]);
    expect(list((g) => g.node('Slice', ['sizes', zero(g), two(g)]))).to.deep.equal(['n', 6]);
    expect(list((g) => g.node('Slice', ['sizes', two(g), g.int64s('end', [9])]))).to.deep.equal([9, 8]);
    expect(list((g) => g.node('Gather', ['sizes', two(g)]))).to.deep.equal([9]);
    expect(list((g) => g.node('Cast', ['sizes'], { attributes: { to: ElementType.int64 } }))).to.deep.equal([
      'n',
      6,
      9,
      8,
    ]);
    expect(list((g) => value(g, int32s))).to.deep.equal([2, 3]);
    expect(list((g) => g.initializer('initial', int32s))).to.deep.equal([2, 3]);
    // What is left open.
    const stepped = (g: GraphBuilder) =>
      g.node('Slice', ['sizes', zero(g), two(g), g.int64s('axis', [0]), g.int64s('step', [2])]);
    expect(list(stepped)).to.equal(undefined);
    expect(list((g) => g.node('Slice', ['sizes', g.input('from', ElementType.int64, [1]), two(g)]))).to.equal(
      undefined,
    );
    expect(list((g) => g.node('Slice', ['sizes', zero(g), g.input('to', ElementType.int64, [1])]))).to.equal(
      undefined,
    );
    const joined = (g: GraphBuilder) => {
      const unknown = g.input('unknown', ElementType.int64, [1]);
      return g.node('Concat', ['sizes', unknown], { attributes: { axis: 0 } });
    };
    expect(list(joined)).to.equal(undefined);
    expect(list((g) => g.node('Mul', ['sizes', two(g)]))).to.equal(undefined);
    const floats: Tensor = { dtype: 'float32', shape: [2], data: Float32Array.of(2, 3) };
    expect(list((g) => value(g, floats))).to.equal(undefined);
    const table: Tensor = { dtype: 'int64', shape: [2, 1], data: BigInt64Array.of(2n, 3n) };
    expect(list((g) => value(g, table))).to.equal(undefined);
    const ones = (length: number): Tensor => ({
      dtype: 'int64',
      shape: [length],
      data: new BigInt64Array(length).fill(1n),
    });
    expect(list((g) => value(g, ones(64)))).to.have.length(64);
    expect(list((g) => value(g, ones(65)))).to.equal(undefined);
    expect(list((g) => g.node('Identity', ['sizes'], { domain: 'com.example' }))).to.equal(undefined);
  });

  it('says the type of what is quantised and dequantised, and of constants', () => {
    const graph = new GraphBuilder('types');
    graph.input('x', ElementType.float, ['n', 6]);
    const zero = graph.initializer('zero', { dtype: 'int8', shape: [], data: Int8Array.of(0) });
    const scale = graph.initializer('scale', { dtype: 'float32', shape: [], data: Float32Array.of(1) });
    graph.node('QuantizeLinear', ['x', scale], { name: 'bytes' });
    graph.node('QuantizeLinear', ['x', scale, zero], { name: 'integers' });
    graph.node('DequantizeLinear', ['integers', scale, zero], { name: 'floats' });
    const value: Tensor = { dtype: 'int64', shape: [1], data: BigInt64Array.of(7n) };
    graph.node('ConstantOfShape', [graph.int64s('shape', [2])], { name: 'sevens', attributes: { value } });
    const types = inferShapes(graph.build());
    const typeOf = (name: string) => types.get(name)!.elemType;
    expect(['bytes', 'integers', 'floats', 'sevens'].map(typeOf)).to.deep.equal([
      ElementType.uint8,
      ElementType.int8,
      ElementType.float,
      ElementType.int64,
    ]);
  });

  it('takes what the model says of operators that it does not know', () => {
    const model = smallNet();
    const [conv, ...others] = model.graph.node;
    const strange = { ...conv, opType: 'FusedConv', domain: 'com.microsoft' };
    const unknown: ModelProto = { ...model, graph: { ...model.graph, node: [strange, ...others] } };
    expect(inferShapes(unknown).get('relu1')).to.deep.equal({ elemType: undefined, shape: undefined });
    expect(inferShapes(unknown).get('logits')?.shape).to.deep.equal(['batch', 5]);

    const dim = [{ dimParam: 'batch' }, { dimValue: 6 }, { dimValue: 8 }, {}];
    const valueInfo = [
      { name: 'conv1', type: { tensorType: { elemType: ElementType.float, shape: { dim } } } },
    ];
    const told = inferShapes({ ...unknown, graph: { ...unknown.graph, valueInfo } });
    expect(told.get('relu1')?.shape).to.deep.equal(['batch', 6, 8, undefined]);
  });

  it('refuses axes, sizes and counts that cannot be, at once', () => {
    const wrong: Case[] = [
      { op: 'Unsqueeze', inputs: [{ floats: [2, 3] }, { ints: [2 ** 31] }] },
      { op: 'Unsqueeze', inputs: [{ floats: [2, 3] }, { ints: [0, 0] }] },
      { op: 'Softmax', inputs: [{ floats: [2, 3] }], attributes: { axis: 5 } },
      { op: 'Flatten', inputs: [{ floats: [2, 3] }], attributes: { axis: 4 } },
      { op: 'Gather', inputs: [{ floats: [2, 3] }, { ints: [0] }], attributes: { axis: -3 } },
      { op: 'Concat', inputs: [{ floats: [2, 3] }, { floats: [2, 3] }], attributes: { axis: 1000 } },
      { op: 'Transpose', inputs: [{ floats: [2, 3] }], attributes: { perm: [0, 0] } },
      { op: 'ReduceMean', inputs: [{ floats: [2, 3] }], attributes: { axes: [7] }, opset: 13 },
      { op: 'Reshape', inputs: [{ floats: [2, 3] }, { ints: [-2, 3] }] },
      { op: 'Transpose', inputs: [{ floats: [2, 3] }], attributes: { perm: [0] } },
      {
        op: 'Slice',
        inputs: [{ floats: [2, 3] }, { ints: [1] }, { ints: [2] }, { ints: [0] }, { ints: [0] }],
      },
      {
        op: 'MaxPool',
        inputs: [{ floats: [1, 3, 8, 8] }],
        attributes: { kernel_shape: [2, 2], strides: [0, 1] },
      },
    ];
    for (const each of wrong) expect(() => inferShapes(build(each).model), title(each)).to.throw(GraphError);
  });

  it('fails in no other way than by naming the node, whatever is put together', () => {
    const dim = fc.constantFrom(0, 1, 2, 7, 'n');
    const input = fc.oneof(
      fc.record({ floats: fc.array(dim, { maxLength: 4 }) }),
      fc.record({ ints: fc.array(fc.integer({ min: -5, max: 5 }), { maxLength: 4 }) }),
      fc.constant(undefined),
    );
    const integers = fc.array(fc.integer({ min: -5, max: 5 }), { maxLength: 4 });
    const attributes = fc.dictionary(
      fc.constantFrom('axis', 'keepdims', 'transA', 'allowzero', 'to', 'start', 'ceil_mode'),
      fc.integer({ min: -5, max: 5 }),
    );
    const lists = fc.dictionary(
      fc.constantFrom('axes', 'perm', 'pads', 'strides', 'kernel_shape', 'split', 'starts', 'ends'),
      integers,
    );
    const op = fc.constantFrom(...Object.keys(shapeRules));
    const outputs = fc.integer({ min: 1, max: 3 });
    fc.assert(
      fc.property(
        op,
        fc.array(input, { maxLength: 5 }),
        attributes,
        lists,
        outputs,
        (op, inputs, one, more, outputs) => {
          try {
            inferShapes(build({ op, inputs, outputs, attributes: { ...one, ...more } }).model);
          } catch (error) {
            if (!(error instanceof GraphError)) throw error;
            expect(error.message).to.match(/^graph \w+: node "\w+" takes [^\n]+; export it again$/);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

const ortTypes: Record<string, number> = {
  float32: ElementType.float,
  int32: ElementType.int32,
  int64: ElementType.int64,
  uint8: ElementType.uint8,
  bool: ElementType.bool,
};

function title({ op, inputs, attributes = {}, opset }: Case): string {
  const operands = inputs.map((input) => JSON.stringify(Object.values(input ?? {})[0] ?? null));
  const settings = Object.keys(attributes).length > 0 ? ` ${JSON.stringify(attributes)}` : '';
  return `${op}(${operands.join(', ')})${settings}${opset ? ` at opset ${opset}` : ''}`;
}

/** A model of one node whose outputs are `y0`, `y1`, …, and what to feed it. */
function build({ op, inputs, attributes, outputs = 1, opset }: Case) {
  const graph = new GraphBuilder(op);
  const feeds: Parameters<typeof runModel>[1] = {};
  const names = inputs.map((input, i) => {
    if (!input) return '';
    if ('ints' in input) return graph.int64s(`x${i}`, input.ints);
    const dims = input.floats.map((size) => (typeof size === 'string' ? N : size));
    feeds[`x${i}`] = { data: numbers(elementCount(dims)), dims };
    return graph.input(`x${i}`, ElementType.float, input.floats);
  });
  const yielded = Array.from({ length: outputs }, (_, i) => `y${i}`);
  graph.node(op, names, { name: op, outputs: yielded, attributes });
  const model = graph.build({ opset });
  const output = yielded.map((name) => ({ name }));
  return { model: { ...model, graph: { ...model.graph, output } }, feeds };
}
