import { readFile, stat } from 'node:fs/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { readCheckpoint } from '../../../converters/pytorch/read-checkpoint.ts';
import { writeCheckpoint } from '../../../converters/pytorch/write-checkpoint.ts';
import { CheckpointError } from '../../../src/common/errors.ts';
import {
  bytesPerElement,
  type DType,
  elementCount,
  type StateDict,
  type Tensor,
  viewAs,
} from '../../../src/common/tensor.ts';
import { reference } from '../../reference.ts';
import {
  legacyCheckpoint,
  soundCheckpoint,
  stateDictPickle,
  temporaryFile,
  temporaryPath,
} from './fixtures.ts';

const dtypes: readonly DType[] = [
  'float64',
  'float32',
  'float16',
  'bfloat16',
  'int64',
  'int32',
  'int16',
  'int8',
  'uint8',
  'bool',
];

const tensors: fc.Arbitrary<Tensor> = fc
  .tuple(fc.constantFrom(...dtypes), fc.array(fc.nat(5), { maxLength: 4 }))
  .chain(([dtype, shape]) => {
    const length = elementCount(shape) * bytesPerElement(dtype);
    return fc
      .uint8Array({ minLength: length, maxLength: length })
      .map((bytes) => ({ dtype, shape, data: viewAs(dtype, bytes.slice()) }));
  });

const keys = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'ключ', '\u2028'));
const stateDicts: fc.Arbitrary<StateDict> = fc
  .array(fc.tuple(keys, tensors), { minLength: 1, maxLength: 8 })
  // A key that no wrapper or prefix could be taken for.
  .map(
    (entries) => new Map([['first', entries[0][1]], ...entries.map(([key, t]) => [`_${key}`, t] as const)]),
  );

const bytesOf = ({ data }: Tensor) =>
  Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);

const bits = (tensor: Tensor) => ({
  dtype: tensor.dtype,
  shape: tensor.shape,
  hex: bytesOf(tensor).toString('hex'),
});

const described = (stateDict: StateDict) => [...stateDict].map(([key, tensor]) => [key, bits(tensor)]);

describe('writeCheckpoint', () => {
  it('writes what reads as the same, bit for bit, in the same order', async () => {
    const path = temporaryPath('random.pth');
    await fc.assert(
      fc.asyncProperty(stateDicts, async (stateDict) => {
        await writeCheckpoint(path, stateDict);
        const read = await readCheckpoint(path, { allowUnusable: true });
        expect(described(read.stateDict)).to.deep.equal(described(stateDict));
      }),
      { numRuns: 150 },
    );
  });

  it('keeps tied tensors tied, aligns storages, and writes the same bytes each time', async () => {
    const data = Float32Array.of(1, 2, 3, 4);
    const tied = (shape: number[]): Tensor => ({ dtype: 'float32', shape, data });
    const stateDict: StateDict = new Map([
      ['a', tied([4])],
      ['b', tied([2, 2])],
      ['c', { dtype: 'int64', shape: [], data: BigInt64Array.of(5n) }],
    ]);
    const path = temporaryPath('tied.pth');
    await writeCheckpoint(path, stateDict);
    const first = await readFile(path);
    expect(first.indexOf(Buffer.from(data.buffer)) % 64).to.equal(0);
    expect(first.indexOf(Buffer.from(data.buffer), first.indexOf(Buffer.from(data.buffer)) + 1)).to.equal(-1);
    const { stateDict: read } = await readCheckpoint(path);
    expect(read.get('b')!.data).to.equal(read.get('a')!.data);
    await writeCheckpoint(path, read);
    expect(await readFile(path)).to.deep.equal(first);
  });

  it('leaves an old file as it was where it cannot write', async () => {
    const path = await temporaryFile('old', 'kept.pth');
    const bad: StateDict = new Map([['x', { dtype: 'float32', shape: [-1], data: null as never }]]);
    await writeCheckpoint(path, bad).then(
      () => expect.fail('was written'),
      () => undefined,
    );
    expect(await readFile(path, 'utf8')).to.equal('old');
  });
});

describe('damaged checkpoints', () => {
  const mutations = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });

  async function expectReadOrRefused(bytes: Buffer): Promise<void> {
    const path = await temporaryFile(bytes, 'mutated.pth');
    try {
      await readCheckpoint(path);
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      expect(error.message).not.to.match(/[\n\r]/);
    }
  }

  for (const [format, make] of [
    ['zip', () => soundCheckpoint()],
    ['deflated zip', () => soundCheckpoint(true)],
    ['legacy', async () => legacyCheckpoint(stateDictPickle({ a: {}, b: { legacy: true } }))],
  ] as const)
    it(`are read or refused, never worse: ${format}`, async () => {
      const sound = await make();
      const property = fc.asyncProperty(mutations, fc.option(fc.nat()), async (changes, cut) => {
        const bytes = Buffer.from(sound.subarray(0, cut === null ? sound.length : cut % sound.length));
        for (const [position, value] of changes) if (bytes.length) bytes[position % bytes.length] = value;
        await expectReadOrRefused(bytes);
      });
      await fc.assert(property, { numRuns: 400 });
    });
});

describe('published checkpoints', () => {
  const expected: readonly (readonly [
    file: string,
    format: string,
    tensors: number,
    first: string,
    last: string,
  ])[] = [
    ['densenet100-cifar10.pth.tar', 'zip', 596, 'conv1.weight 24,3,3,3', 'fc.bias 10'],
    ['densenet100-cifar100.pth.tar', 'zip', 596, 'conv1.weight 24,3,3,3', 'fc.bias 100'],
    ['resnet20-12fca82f.th', 'legacy', 97, 'conv1.weight 16,3,3,3', 'linear.bias 10'],
    ['resnet32-d509ac18.th', 'legacy', 157, 'conv1.weight 16,3,3,3', 'linear.bias 10'],
    ['resnet44-014dd654.th', 'legacy', 217, 'conv1.weight 16,3,3,3', 'linear.bias 10'],
    ['resnet56-4bfd9763.th', 'legacy', 277, 'conv1.weight 16,3,3,3', 'linear.bias 10'],
    ['vgg16-cifar10.h5', 'zip', 97, 'features.0.weight 64,3,3,3', 'classifier.6.bias 10'],
    ['resnet34-cifar10-synthetic.h5', 'zip', 218, 'conv1.weight 64,3,3,3', 'linear.bias 10'],
  ];

  for (const [name, format, count, first, last] of expected)
    it(`${name} is read, written and read again`, async function () {
      const source = reference(this, 'checkpoints', name);
      const { stateDict, ...found } = await readCheckpoint(source);
      expect(found.format).to.equal(format);
      const listed = [...stateDict].map(([key, { shape }]) => `${key} ${shape}`);
      expect([listed.length, listed[0], listed.at(-1)]).to.deep.equal([count, first, last]);
      const path = temporaryPath('again.pth');
      await writeCheckpoint(path, stateDict);
      const again = await readCheckpoint(path);
      expect([...again.stateDict.keys()]).to.deep.equal([...stateDict.keys()]);
      for (const [key, tensor] of stateDict) {
        const other = again.stateDict.get(key)!;
        expect([other.dtype, other.shape]).to.deep.equal([tensor.dtype, tensor.shape]);
        // Comparing buffers within chai takes seconds on megabytes.
        expect(bytesOf(other).equals(bytesOf(tensor)), key).to.equal(true);
      }
      expect((await stat(path)).size).to.be.below(1.1 * (await stat(source)).size);
    });
});
