import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { readCheckpoint } from '../../../converters/pytorch/read-checkpoint.ts';
import { writeSafetensors } from '../../../converters/safetensors/write-safetensors.ts';
import type { DType, StateDict } from '../../../src/common/tensor.ts';
import { fileKind } from '../../../src/index.ts';
import { expectRefused, temporaryFile, temporaryPath } from '../pytorch/fixtures.ts';

function file(header: unknown, data: Uint8Array = new Uint8Array(8), pad = 0): Buffer {
  const json = typeof header === 'string' ? header : JSON.stringify(header);
  const text = Buffer.from(json.padEnd(pad));
  return Buffer.concat([Buffer.from(BigUint64Array.of(BigInt(text.length)).buffer), text, data]);
}

const entry = (start: number, end: number, more: object = {}) => ({
  dtype: 'F32',
  shape: [(end - start) / 4],
  data_offsets: [start, end],
  ...more,
});

describe('safetensors', () => {
  it('gives back what was written, bit by bit and in order', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.tuple(
            fc.string({ minLength: 1 }),
            fc.constantFrom<DType>('float32', 'float16', 'bfloat16', 'int64', 'bool'),
            fc.array(fc.nat(3), { maxLength: 3 }),
          ),
          { minLength: 1, maxLength: 6 },
        ),
        async (tensors) => {
          const stateDict: StateDict = new Map(
            tensors
              .filter(([key]) => !/^\d+$|^__metadata__$/.test(key))
              .map(([key, dtype, shape], i) => {
                const count = shape.reduce((product, size) => product * size, 1);
                const arrays = {
                  float32: Float32Array,
                  float16: Uint16Array,
                  bfloat16: Uint16Array,
                  int64: BigInt64Array,
                  bool: Uint8Array,
                };
                const data = new arrays[dtype as 'float32'](count);
                new Uint8Array(data.buffer).fill(dtype === 'bool' ? 1 : i);
                return [key, { dtype, shape, data }];
              }),
          );
          if (stateDict.size === 0) return;
          const path = temporaryPath('model.safetensors');
          await writeSafetensors(path, stateDict);
          const {
            stateDict: read,
            format,
            prefix = '',
          } = await readCheckpoint(path, { allowUnusable: true });
          expect(format).to.equal('safetensors');
          expect([...read].map(([key, tensor]) => [prefix + key, tensor])).to.deep.equal([...stateDict]);
        },
      ),
      { numRuns: 50 },
    ));

  it('is recognised whatever byte its length begins with, that of a pickle and of ONNX among them', async () => {
    for (const length of [0x80, 0x108, 0x150, 0x228]) {
      const bytes = file({ w: entry(0, 8) }, new Uint8Array(8), length);
      expect(bytes[0]).to.equal(length & 0xff);
      const path = await temporaryFile(bytes, 'weights.bin');
      expect(await fileKind(path)).to.equal('checkpoint');
      expect([...(await readCheckpoint(path)).stateDict.keys()]).to.deep.equal(['w']);
    }
  });

  it('is written with data that begin at a multiple of eight', async () => {
    const path = temporaryPath('aligned.safetensors');
    await writeSafetensors(
      path,
      new Map([['é', { dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) }]]),
    );
    const bytes = await readFile(path);
    expect(Number(bytes.readBigUInt64LE(0)) % 8).to.equal(0);
  });

  for (const [what, bytes, message] of [
    ['no JSON', file('{"w": '.padEnd(16)), /header that is no JSON/],
    [
      'a hole',
      file({ a: entry(0, 4), b: entry(8, 12) }, new Uint8Array(12)),
      /b begins at byte 8 of the data, and the one before ends at 4/,
    ],
    ['an overlap', file({ a: entry(0, 8), b: entry(4, 8) }), /b begins at byte 4 .* ends at 8/],
    ['tensors beyond its end', file({ a: entry(0, 16) }), /has 8 bytes of data where its tensors need 16/],
    ['bytes behind its tensors', file({ a: entry(0, 4) }), /has 8 bytes of data where its tensors need 4/],
    [
      'a shape that its bytes do not fill',
      file({ a: entry(0, 8, { shape: [3] }) }),
      /of F32 3 needs 12 bytes and has 8/,
    ],
    ['a shape beyond 2^53', file({ a: entry(0, 8, { shape: [2 ** 30, 2 ** 30] }) }), /needs \d+/],
    ['a negative size', file({ a: entry(0, 8, { shape: [-2] }) }), /has no dtype, shape and data_offsets/],
    [
      'an unknown element type',
      file({ a: entry(0, 8, { dtype: 'F8_E4M3' }) }),
      /F8_E4M3, which is not supported/,
    ],
    [
      'an element type that objects have',
      file({ a: entry(0, 8, { dtype: 'constructor' }) }),
      /constructor, which is not supported/,
    ],
  ] as const)
    it(`is refused with ${what}`, () => expectRefused(bytes, message));

  it('gives one of several networks by what its keys begin with', async () => {
    const path = await temporaryFile(file({ 'a.w': entry(0, 4), 'ema.w': entry(4, 8) }));
    expect([...(await readCheckpoint(path, { wrapper: 'ema' })).stateDict.keys()]).to.deep.equal(['w']);
    const error = await readCheckpoint(path, { wrapper: 'net' }).catch((thrown: Error) => thrown);
    expect((error as Error).message).to.match(/holds no weights under net; name one of a, ema/);
  });
});
