import { expect } from 'chai';
import fc from 'fast-check';
import { GraphError } from '../../src/common/errors.ts';
import type { DType, Tensor } from '../../src/common/tensor.ts';
import type { ModelProto, TensorProto } from '../../src/graph/onnx.ts';
import { decodeModel } from '../../src/graph/read.ts';
import { dtypeOf, tensorFromProto, tensorToProto } from '../../src/graph/tensor-proto.ts';
import { encodeModel } from '../../src/graph/write.ts';
import { smallNet } from './models.ts';

/** A tensor as it comes out of a model that was written and read. */
function throughFile(tensor: TensorProto): TensorProto {
  const model: ModelProto = smallNet();
  const initializer = [tensor];
  return decodeModel(encodeModel({ ...model, graph: { ...model.graph, initializer } }), 'model').graph
    .initializer[0];
}

const values: [DType, Tensor['data']][] = [
  ['float64', Float64Array.of(0.1, -1e300, Number.NaN, -0)],
  ['float32', Float32Array.of(0.1, -1e30, Number.NaN, -0)],
  ['float16', Uint16Array.of(0x3c00, 0xffff, 1, 0)],
  ['bfloat16', Uint16Array.of(0x3f80, 0xffff, 1, 0)],
  ['int64', BigInt64Array.of(2n ** 63n - 1n, -(2n ** 63n), 3n, -1n)],
  ['int32', Int32Array.of(2 ** 31 - 1, -(2 ** 31), 3, -1)],
  ['int16', Int16Array.of(2 ** 15 - 1, -(2 ** 15), 3, -1)],
  ['int8', Int8Array.of(127, -128, 3, -1)],
  ['uint8', Uint8Array.of(255, 128, 3, 1)],
  ['bool', Uint8Array.of(1, 0, 1, 1)],
];

describe('Tensors in messages', () => {
  for (const [dtype, data] of values) {
    it(`keep ${dtype} in raw bytes, at any offset in the file`, () => {
      for (const name of ['w', 'we', 'wei', 'weig', 'weigh', 'weight', 'weight1', 'weight12'])
        expect(
          tensorFromProto(throughFile(tensorToProto(name, { dtype, shape: [2, 2], data })), 'model'),
        ).to.deep.equal({ dtype, shape: [2, 2], data });
    });

    it(`keep ${dtype} in typed fields`, () => {
      const { rawData: _, ...empty } = tensorToProto('w', { dtype, shape: [4], data });
      const list = Array.from(data as ArrayLike<number>);
      const field =
        { float64: 'doubleData', float32: 'floatData', int64: 'int64Data' }[dtype as string] ?? 'int32Data';
      expect(tensorFromProto(throughFile({ ...empty, [field]: list }), 'model').data).to.deep.equal(data);
    });
  }

  it('have the number of their element type', () => {
    for (const [dtype, data] of values)
      expect(dtypeOf(tensorToProto('w', { dtype, shape: [4], data }).dataType)).to.equal(dtype);
    expect(dtypeOf(8)).to.equal(undefined);
  });

  it('may be empty or scalars', () => {
    for (const [shape, data] of [
      [[], [7]],
      [[0, 3], []],
    ]) {
      const tensor: Tensor = { dtype: 'float32', shape, data: Float32Array.from(data) };
      expect(tensorFromProto(throughFile(tensorToProto('w', tensor)), 'model')).to.deep.equal(tensor);
    }
  });

  it('say where bytes and shape disagree', () => {
    fc.assert(
      fc.property(fc.nat(9), fc.nat(9), (size, given) => {
        fc.pre(size !== given);
        const proto = tensorToProto('w', { dtype: 'int16', shape: [size], data: new Int16Array(given) });
        expect(() => tensorFromProto(proto, 'm.onnx')).to.throw(
          GraphError,
          `m.onnx: tensor "w": int16 of shape [${size}] takes ${2 * size} bytes, and ${2 * given} are there`,
        );
      }),
    );
  });

  it('refuse what is no tensor of numbers', () => {
    const proto = tensorToProto('w', { dtype: 'int8', shape: [1], data: new Int8Array(1) });
    const problems: [Partial<TensorProto>, string][] = [
      [{ dataType: 8 }, 'm.onnx: tensor "w": element type string is not supported'],
      [{ dataType: 17 }, 'm.onnx: tensor "w": element type 17 is not supported'],
      [{ dims: [-1] }, 'm.onnx: tensor "w": its shape [-1] has a negative size'],
      [
        { dataLocation: 1 },
        'm.onnx: tensor "w": its data is in another file, and the model did not come from a file; use readModel',
      ],
    ];
    for (const [change, message] of problems)
      expect(() => tensorFromProto({ ...proto, ...change }, 'm.onnx')).to.throw(GraphError, message);
  });
});
