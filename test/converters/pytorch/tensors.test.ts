import { expect } from 'chai';
import { readCheckpoint } from '../../../converters/pytorch/read-checkpoint.ts';
import { PickleAssembler } from '../../../src/common/pickle/assembler.ts';
import type { StateDict } from '../../../src/common/tensor.ts';
import {
  checkpointOf,
  expectRefused,
  legacyCheckpoint,
  stateDictPickle,
  type TensorRecipe,
  temporaryFile,
  twoFloats,
  zip,
} from './fixtures.ts';

const bytesOf = (array: ArrayBufferView): Buffer =>
  Buffer.from(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);

async function read(tensors: Record<string, TensorRecipe>, data: Uint8Array = twoFloats): Promise<StateDict> {
  return (await readCheckpoint(await temporaryFile(await checkpointOf(stateDictPickle(tensors), data))))
    .stateDict;
}

async function expectTensorRefused(recipe: TensorRecipe, message: RegExp, data?: Uint8Array): Promise<void> {
  await expectRefused(await checkpointOf(stateDictPickle({ 'layer.weight': recipe }), data), message);
}

/** Numbers as in the list of bad inputs. */
describe('checkpoint tensors', () => {
  it('29: reads every element type', async () => {
    const samples = [
      ['DoubleStorage', 'float64', Float64Array.of(0.1, -2)],
      ['FloatStorage', 'float32', Float32Array.of(0.1, -2)],
      ['HalfStorage', 'float16', Uint16Array.of(0x3c00, 0xc000)],
      ['BFloat16Storage', 'bfloat16', Uint16Array.of(0x3f80, 0xc000)],
      ['LongStorage', 'int64', BigInt64Array.of(2n ** 62n, -1n)],
      ['IntStorage', 'int32', Int32Array.of(1 << 30, -1)],
      ['ShortStorage', 'int16', Int16Array.of(1 << 14, -1)],
      ['CharStorage', 'int8', Int8Array.of(127, -1)],
      ['ByteStorage', 'uint8', Uint8Array.of(255, 0)],
      ['BoolStorage', 'bool', Uint8Array.of(1, 0)],
    ] as const;
    for (const [storage, dtype, data] of samples)
      expect((await read({ x: { storage } }, bytesOf(data))).get('x')).to.deep.equal({
        dtype,
        shape: [2],
        data,
      });
  });

  it('29: refuses other element types by name', async () => {
    await expectTensorRefused(
      { storage: 'ComplexFloatStorage' },
      /layer\.weight: has the element type complex64, which is not supported; convert it/,
    );
    await expectTensorRefused({ storage: 'QUInt8Storage' }, /element type quint8/);
    const quantized = new PickleAssembler().protocol(2).emit('EMPTY_DICT').string('q');
    quantized.global('torch._utils', '_rebuild_qtensor').emit('EMPTY_TUPLE', 'REDUCE', 'SETITEM', 'STOP');
    await expectRefused(await checkpointOf(quantized.bytes()), /q: is quantised; convert it with dequantize/);
  });

  it('30: refuses NaN and infinite weights, naming the first', async () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const message = /layer\.weight: element 1 is NaN or infinite; the training diverged/;
      await expectTensorRefused({}, message, bytesOf(Float32Array.of(1, bad)));
      await expectTensorRefused({ storage: 'DoubleStorage' }, message, bytesOf(Float64Array.of(1, bad)));
    }
    const message = /element 1 is NaN or infinite/;
    await expectTensorRefused({ storage: 'HalfStorage' }, message, bytesOf(Uint16Array.of(0x7bff, 0xfc00)));
    await expectTensorRefused(
      { storage: 'BFloat16Storage' },
      message,
      bytesOf(Uint16Array.of(0x7f7f, 0x7fc0)),
    );
  });

  it('30: reads them where it is asked to', async () => {
    const data = Float32Array.of(1, Number.NaN);
    const path = await temporaryFile(await checkpointOf(stateDictPickle({ x: {} }), bytesOf(data)));
    expect((await readCheckpoint(path, { allowUnusable: true })).stateDict.get('x')!.data).to.deep.equal(
      data,
    );
  });

  it('31: refuses negative variances of batch normalisation', async () => {
    const pickle = stateDictPickle({ 'bn1.running_mean': {}, 'bn1.running_var': {} });
    await expectRefused(
      await checkpointOf(pickle),
      /bn1\.running_var: element 1 is negative, and it is a variance/,
    );
    const half = stateDictPickle({ running_var: { storage: 'HalfStorage' } });
    await expectRefused(
      await checkpointOf(half, bytesOf(Uint16Array.of(0x8000, 0x8001))),
      /element 1 is negative/,
    );
  });

  it('32: refuses big-endian storages', async () => {
    const pickle = stateDictPickle({ weight: {} });
    const bytes = await zip([
      ['a/data.pkl', pickle],
      ['a/byteorder', 'big'],
      ['a/data/0', twoFloats],
    ]);
    await expectRefused(bytes, /saved on a big-endian machine.*; load it with torch\.load/);
    await expectRefused(legacyCheckpoint(pickle, undefined, false), /saved on a big-endian machine/);
  });

  it('33: refuses offsets and sizes that lie outside the storage', async () => {
    await expectTensorRefused({ offset: 1 }, /lies outside its storage: elements 1 to 3 of 2/);
    await expectTensorRefused({ shape: [3] }, /elements 0 to 3 of 2/);
    await expectTensorRefused({ strides: [2] }, /elements 0 to 3 of 2/);
    await expectTensorRefused({ shape: [0], offset: 3 }, /elements 3 to 3 of 2/);
    await expectTensorRefused({ offset: -1 }, /at byte \d+: holds a negative storage offset \(-1\)/);
  });

  it('34: refuses negative and overlapping strides', async () => {
    await expectTensorRefused({ strides: [-1] }, /holds a negative stride \(-1\)/);
    await expectTensorRefused({ strides: [0] }, /has elements that share memory; .*contiguous/);
    await expectTensorRefused(
      { elements: 4, shape: [2, 3], strides: [1, 1] },
      /has elements that share memory/,
      new Uint8Array(16),
    );
    await expectTensorRefused({ shape: [2, 1] }, /has 2 sizes and 1 strides/);
  });

  it('35: refuses storages whose element count and bytes differ', async () => {
    await expectTensorRefused(
      { elements: 3 },
      /record data\/0 has 8 bytes and its 3 elements of float32 need 12/,
    );
    await expectRefused(
      legacyCheckpoint(stateDictPickle({ weight: {} }), [['0', 3, twoFloats]]),
      /storage 0 at byte \d+ has 3 elements and the pickle says 2/,
    );
    await expectRefused(
      legacyCheckpoint(stateDictPickle({ weight: {} }), [['0', 2, twoFloats.subarray(1)]]),
      /is cut short: storage 0 ends at byte/,
    );
    await expectTensorRefused({ key: '1' }, /has no record archive\/data\/1/);
    await expectRefused(legacyCheckpoint(stateDictPickle({ weight: {} }), []), /has no storage 0/);
    await expectRefused(
      legacyCheckpoint(stateDictPickle({ weight: {} }), [
        ['0', 2, twoFloats],
        ['1', 2, twoFloats],
      ]),
      /lists a storage that no tensor refers to \(1\)/,
    );
  });

  it('36: refuses sizes and products that overflow', async () => {
    await expectTensorRefused(
      { shape: [2n ** 64n] },
      /holds a size of 18446744073709551616, which is beyond 2\^53/,
    );
    await expectTensorRefused(
      { shape: [2 ** 32, 2 ** 32], strides: [0, 0] },
      /has a shape whose product is beyond 2\^53: 4294967296×4294967296/,
    );
    await expectTensorRefused({ elements: 2n ** 70n }, /element count of a storage of .* beyond 2\^53/);
    await expectTensorRefused(
      { shape: [0, 2 ** 52, 2 ** 52], strides: [1, 1, 1], offset: 2 ** 52 },
      /lies outside its storage/,
    );
    await expectTensorRefused({ strides: [2 ** 52], offset: 2 ** 52 }, /lies outside its storage/);
  });

  it('37: reads tied tensors as one, in both formats', async () => {
    const pickle = stateDictPickle({ encoder: {}, decoder: {}, column: { shape: [2, 1], strides: [1, 1] } });
    for (const bytes of [await checkpointOf(pickle), legacyCheckpoint(pickle)]) {
      const { stateDict } = await readCheckpoint(await temporaryFile(bytes));
      expect(stateDict.get('decoder')!.data).to.equal(stateDict.get('encoder')!.data);
      expect(stateDict.get('column')).to.deep.equal({
        dtype: 'float32',
        shape: [2, 1],
        data: Float32Array.of(1, -2),
      });
    }
  });

  it('37: makes strided tensors contiguous', async () => {
    const data = bytesOf(Float32Array.from({ length: 24 }, (_, i) => i));
    const common = { elements: 24 };
    const stateDict = await read(
      {
        transposed: { ...common, shape: [4, 6], strides: [1, 4] },
        channelsLast: { ...common, shape: [1, 2, 3, 4], strides: [24, 1, 8, 2] },
        part: { ...common, shape: [2, 2], strides: [6, 2], offset: 3 },
        scalar: { ...common, shape: [], strides: [], offset: 7 },
        none: { ...common, shape: [0, 3], strides: [3, 1] },
      },
      data,
    );
    const values = (key: string) => [...(stateDict.get(key)!.data as Float32Array)];
    expect(values('transposed').slice(0, 7)).to.deep.equal([0, 4, 8, 12, 16, 20, 1]);
    expect(values('channelsLast').slice(0, 5)).to.deep.equal([0, 2, 4, 6, 8]);
    expect(values('part')).to.deep.equal([3, 5, 9, 11]);
    expect(values('scalar')).to.deep.equal([7]);
    expect(values('none')).to.deep.equal([]);
  });

  it('refuses to copy one storage over and over', async () => {
    const views = Array.from({ length: 40 }, (_, i) => [
      `view${i}`,
      { elements: 2002, shape: [2, 500], strides: [1, 2], offset: i },
    ]);
    await expectRefused(
      await checkpointOf(stateDictPickle(Object.fromEntries(views)), new Uint8Array(8008)),
      /view\d+: is one of too many views of the same data/,
    );
  });
});
