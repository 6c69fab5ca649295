import { expect } from 'chai';
import { GraphError } from '../../src/common/errors.ts';
import type { Tensor } from '../../src/common/tensor.ts';
import { type Attribute, float, GraphBuilder } from '../../src/graph/builder.ts';
import { checkModel } from '../../src/graph/check.ts';
import { ElementType, type ModelProto } from '../../src/graph/onnx.ts';
import { upgradeOpset } from '../../src/graph/upgrade-opset.ts';
import { branching, numbers, runModel, smallNet } from './models.ts';

/** One node on x, N×2×4×4, in the words of an old opset. */
function one(
  opset: number,
  opType: string,
  attributes: Record<string, Attribute> = {},
  more: { shape?: number[]; outputs?: string[]; constants?: Tensor[] } = {},
): ModelProto {
  const graph = new GraphBuilder('one');
  graph.input('x', ElementType.float, more.shape ?? [3, 2, 4, 4]);
  const inputs = ['x'];
  if (opType === 'BatchNormalization')
    for (const [i, name] of ['scale', 'bias', 'mean', 'variance'].entries())
      inputs.push(
        graph.initializer(name, { dtype: 'float32', shape: [2], data: Float32Array.of(1 + i, 0.5 + i) }),
      );
  if (opType === 'Resize')
    inputs.push(
      graph.initializer('scales', { dtype: 'float32', shape: [4], data: Float32Array.of(1, 1, 2, 2) }),
    );
  for (const [i, tensor] of (more.constants ?? []).entries())
    inputs.push(graph.initializer(`constant${i}`, tensor));
  graph.node(opType, inputs, { name: 'y', outputs: more.outputs ?? ['y'], attributes });
  graph.output('y', ElementType.float, []);
  const model = graph.build({ opset });
  model.graph.output = [{ name: 'y' }];
  return model;
}

const scales = float([1, 1, 2, 2]);
const scalar = (value: number): Tensor => ({ dtype: 'float32', shape: [], data: Float32Array.of(value) });
const integers = (...values: number[]): Tensor => ({
  dtype: 'int64',
  shape: [values.length],
  data: BigInt64Array.from(values, BigInt),
});

/** `branching` with a Clip of opset 9 behind its operators. */
function clippingBranches(): ModelProto {
  const model = branching();
  const [, choice] = model.graph.node;
  for (const { g } of choice.attribute) {
    const [last] = g!.node;
    const [clip] = one(9, 'Clip', { max: float(0.2) }).graph.node;
    g!.node.push({
      ...clip,
      name: `${last.name}_clip`,
      input: [last.output[0]],
      output: [`${last.output[0]}_y`],
    });
    g!.output[0].name = `${last.output[0]}_y`;
  }
  return { ...model, opsetImport: [{ domain: '', version: 9 }] };
}

describe('upgradeOpset', () => {
  const cases: [string, ModelProto][] = [
    ['BatchNormalization with spatial', one(8, 'BatchNormalization', { spatial: 1, epsilon: float(1e-3) })],
    ['Dropout', one(9, 'Dropout', { ratio: float(0.3) })],
    ['Dropout with a mask', one(9, 'Dropout', { ratio: float(0.3) }, { outputs: ['y', 'mask'] })],
    ['Clip', one(9, 'Clip', { min: float(-0.2), max: float(0.3) })],
    ['Clip from above', one(9, 'Clip', { max: float(0.1) })],
    ['Pad', one(9, 'Pad', { pads: [0, 0, 1, 2, 0, 1, 0, 0], value: float(0.7) })],
    ['Pad by reflection', one(9, 'Pad', { pads: [0, 0, 1, 2, 0, 0, 0, 0], mode: 'reflect' })],
    ['Slice', one(9, 'Slice', { starts: [1, 0], ends: [3, -1], axes: [2, 3] })],
    ['Unsqueeze', one(11, 'Unsqueeze', { axes: [0, 3] })],
    ['Squeeze', one(11, 'Squeeze', { axes: [1] }, { shape: [3, 1, 4] })],
    ['Squeeze of all', one(11, 'Squeeze', {}, { shape: [3, 1, 4, 1] })],
    ['ReduceSum', one(11, 'ReduceSum', { axes: [2, 3], keepdims: 0 })],
    ['ReduceMean', one(17, 'ReduceMean', { axes: [1], keepdims: 1 })],
    ['ReduceMax of all', one(13, 'ReduceMax', { keepdims: 1 })],
    ['Split', one(11, 'Split', { axis: 2, split: [1, 3] }, { outputs: ['z', 'y'] })],
    ['Split in halves', one(13, 'Split', { axis: 3 }, { outputs: ['z', 'y'] })],
    ['Softmax', one(9, 'Softmax', {}, { shape: [3, 5] })],
    ['Softmax of the last axis', one(9, 'Softmax', { axis: 3 })],
    ['LogSoftmax over one pixel', one(9, 'LogSoftmax', {}, { shape: [3, 5, 1, 1] })],
    ['Upsample', one(7, 'Upsample', { scales, mode: 'nearest' })],
    ['Upsample, linear', one(7, 'Upsample', { scales, mode: 'linear' })],
    ['Resize', one(10, 'Resize', { mode: 'nearest' })],
    ['LogSoftmax of the last axis, from the end', one(9, 'LogSoftmax', { axis: -1 })],
    ['Softmax over one pixel, from the end', one(9, 'Softmax', { axis: -3 }, { shape: [3, 5, 1, 1] })],
    ['Softmax of one axis', one(13, 'Softmax', { axis: 1 })],
    ['Clip by inputs', one(11, 'Clip', {}, { constants: [scalar(-0.2), scalar(0.3)] })],
    ['Squeeze by input', one(13, 'Squeeze', {}, { shape: [3, 1, 4], constants: [integers(1)] })],
    ['Slice by inputs', one(10, 'Slice', {}, { constants: [integers(1), integers(3), integers(2)] })],
    ['If of branches that change', clippingBranches()],
    ['If', { ...branching(), opsetImport: [{ domain: '', version: 13 }] }],
  ];
  for (const [name, model] of cases)
    it(`says ${name} in opset 18`, async () => {
      const newer = upgradeOpset(model, 'old.onnx');
      checkModel(newer, 'new.onnx');
      expect(newer.opsetImport).to.deep.equal([{ domain: '', version: 18 }]);
      const dims = model.graph.input[0].type!.tensorType!.shape!.dim.map(({ dimValue }) => dimValue!);
      const x = { data: numbers(dims.reduce((all, size) => all * size)), dims };
      const [expected, actual] = [await runModel(model, { x }), await runModel(newer, { x })];
      expect(actual.y.dims).to.deep.equal(expected.y.dims);
      expect(actual.y.data).to.deep.equal(expected.y.data);
    });

  it('leaves newer models, and the given one, as they are', () => {
    const model = smallNet({ opset: 18 });
    expect(upgradeOpset(model, 'small.onnx')).to.equal(model);
    const old = one(9, 'Clip', { max: float(0.1) });
    const before = structuredClone(old);
    upgradeOpset(old, 'old.onnx');
    expect(old).to.deep.equal(before);
  });

  it('keeps operators of others, and names ONNX’s own as the model does', () => {
    const graph = new GraphBuilder('others');
    graph.input('x', ElementType.float, [3, 2, 4, 4]);
    graph.node('Clip', ['x'], { name: 'y', domain: 'com.example', attributes: { max: float(0.1) } });
    graph.output('y', ElementType.float, [3, 2, 4, 4]);
    const model = graph.build({ opset: 9, domains: { 'com.example': 1 } });
    model.opsetImport[0].domain = 'ai.onnx';
    model.irVersion = 4;
    const newer = upgradeOpset(model, 'old.onnx');
    expect(newer.graph.node).to.deep.equal(model.graph.node);
    expect(newer.irVersion).to.equal(8);
    expect(newer.opsetImport).to.deep.equal([
      { domain: 'ai.onnx', version: 18 },
      { domain: 'com.example', version: 1 },
    ]);
    expect(upgradeOpset({ ...model, irVersion: 10 }, 'old.onnx').irVersion).to.equal(10);
  });

  it('refuses what cannot be said in it, naming the node', () => {
    const refused: [ModelProto, string][] = [
      [
        one(9, 'Softmax', { axis: 1 }),
        'old.onnx: node "y": Softmax of opset 9 cannot be said in opset 18; export it',
      ],
      [one(8, 'BatchNormalization', { spatial: 0 }), 'node "y": BatchNormalization of opset 8'],
      [one(7, 'TopK', { k: 1 }), 'node "y": TopK of opset 7'],
      [withMask(), 'node "y": Dropout of opset 9'],
      [ofDoubles(one(9, 'Clip', { max: float(0.1) })), 'node "y": Clip of opset 9'],
      [ofUnknownRank(one(9, 'Softmax', { axis: -2 })), 'node "y": Softmax of opset 9'],
      [
        one(8, 'BatchNormalization', {}, { outputs: ['y', 'a', 'b', 'c', 'd'] }),
        'node "y": BatchNormalization of opset 8',
      ],
    ];
    for (const [model, message] of refused)
      expect(() => upgradeOpset(model, 'old.onnx')).to.throw(GraphError, message);
  });
});

/** A Dropout whose mask is taken. */
function withMask(): ModelProto {
  const model = one(9, 'Dropout', {}, { outputs: ['y', 'mask'] });
  model.graph.output.push({ name: 'mask' });
  return model;
}

function ofDoubles(model: ModelProto): ModelProto {
  model.graph.input[0].type!.tensorType!.elemType = ElementType.double;
  return model;
}

function ofUnknownRank(model: ModelProto): ModelProto {
  model.graph.input[0].type!.tensorType!.shape = undefined;
  return model;
}
