import { readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import sharp from 'sharp';
import { decodeImage } from '../../data/decode.ts';
import { openImageSet } from '../../data/open.ts';
import { DataError } from '../../src/common/errors.ts';
import { loadHdf5 } from '../../src/common/hdf5.ts';
import { idx, lmdb, mat, npy, parquet, png, tar, zip } from './files.ts';
import { temporaryFolder } from './images.ts';
import { rejection } from './rejection.ts';

/** What is done to a file: bytes overwritten, and the end cut off. */
interface Damage {
  readonly writes: readonly { at: number; bytes: Uint8Array }[];
  readonly keep: number;
}

const anyBytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 4 }),
  fc
    .constantFrom(0, 0x7f, 0x80, 0xff)
    .chain((byte) => fc.integer({ min: 1, max: 8 }).map((length) => new Uint8Array(length).fill(byte))),
);

/** Places from 0 to 1, the first hundred bytes, in which headers are, as often as all others. */
const place = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.integer({ min: 0, max: 160 }).map((at) => -at),
);

const damage: fc.Arbitrary<Damage> = fc.record({
  writes: fc.array(fc.record({ at: place, bytes: anyBytes }), { maxLength: 4 }),
  keep: fc.oneof({ weight: 3, arbitrary: fc.constant(1) }, fc.double({ min: 0, max: 1, noNaN: true })),
});

function damaged(whole: Uint8Array, { writes, keep }: Damage): Uint8Array {
  const bytes = Uint8Array.from(whole);
  for (const { at, bytes: written } of writes) {
    const start = at < 0 ? -at : Math.floor(at * bytes.length);
    if (start < bytes.length) bytes.set(written.subarray(0, bytes.length - start), start);
  }
  return bytes.subarray(0, Math.ceil(keep * bytes.length));
}

/** The work ends in images, or in an error of one line that a user can mend. */
async function endsWell(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    expect(error.message).not.to.match(/\p{Cc}/u);
  }
}

describe('Damaged and hostile files', () => {
  const folder = temporaryFolder();
  const pixels = Uint8Array.from({ length: 3 * 5 * 4 * 3 }, (_, i) => (31 * i) & 255);
  const shape = [3, 5, 4, 3];

  const files: Record<string, () => Promise<Uint8Array> | Uint8Array> = {
    'a.npy': () => npy(shape, pixels),
    'a.idx': () => idx(shape, pixels),
    'a.idx.gz': () => gzipSync(idx(shape, pixels)),
    'a.mat': () =>
      mat({ X: { shape: [5, 4, 3, 3], bytes: pixels }, y: { shape: [3], bytes: new Uint8Array(3) } }),
    'plain.mat': () => mat({ X: { shape: [5, 4, 3, 3], bytes: pixels } }, false),
    'a.tar': async () => tar(await members()),
    'a.tar.gz': async () => gzipSync(tar(await members())),
    'a.zip': async () => zip(await members()),
    'stored.zip': async () => zip(await members(), false),
    'a.mdb': async () => lmdb((await members()).map(({ name, bytes }) => ({ key: name, value: bytes }))),
    'a.parquet': () => parquet,
    'list.txt': () => Buffer.from('a.png 1\na.png 2\na.png 3\n'),
    'a.hdf5': async () => {
      const library = await loadHdf5();
      const file = new library.File(folder.at('whole.hdf5'), 'w');
      file.create_dataset({ name: 'data', data: pixels, shape, chunks: [1, 5, 4, 3], compression: 4 });
      file.close();
      return readFile(folder.at('whole.hdf5'));
    },
  };

  async function members() {
    const names = ['set/a/1.png', 'set/a/2.png', 'set/b/3.png'];
    return Promise.all(
      names.map(async (name, i) => ({ name, bytes: await png(i, 2, 3, i === 1 ? 200 : 3) })),
    );
  }

  before(async () => writeFile(folder.at('a.png'), await png(1, 2, 3)));

  for (const [name, make] of Object.entries(files))
    it(`${name}: end in images or in one line`, async () => {
      const whole = await make();
      const run = (change: Damage) =>
        endsWell(async () => {
          await writeFile(folder.at(name), damaged(whole, change));
          const set = await openImageSet(folder.at(name));
          const count = Math.min(3, set.length);
          expect(count).to.be.above(0);
          for (let i = 0; i < count; i++) expect([typeof set.imageName(i), set.label(i)]).to.have.length(2);
          expect(await set.read(0, count, { height: 2, width: 2 })).to.have.length(12 * count);
        });
      // Undamaged it is read: else nothing would be shown.
      await writeFile(folder.at(name), whole);
      expect((await openImageSet(folder.at(name))).length).to.equal(3);
      await fc.assert(fc.asyncProperty(damage, run), { numRuns: 150 });
    });

  it('a column of Parquet that claims -1 children ends in one line', async () => {
    const bytes = Uint8Array.from(parquet);
    // The number of the structs' children, 1, as zigzag has it.
    bytes[356] = 1;
    await writeFile(folder.at('a.parquet'), bytes);
    const set = await openImageSet(folder.at('a.parquet'));
    const error = await rejection(set.read(0, 1, { height: 2, width: 2 }), DataError);
    expect(error.message).to.match(/a\.parquet: is a damaged Parquet file/);
  });

  it('images: end in pixels or in one line', async () => {
    const samples = Uint8Array.from({ length: 3 * 32 * 32 }, (_, i) => (i * i) & 255);
    const image = () => sharp(samples, { raw: { width: 32, height: 32, channels: 3 } });
    const encoded = await Promise.all([
      image().gif().toBuffer(),
      image().png().toBuffer(),
      image().jpeg().toBuffer(),
      image().webp().toBuffer(),
      image().toColourspace('cmyk').jpeg().toBuffer(),
      image().toColourspace('rgb16').png().toBuffer(),
    ]);
    const decode = (which: number, change: Damage) =>
      endsWell(async () => {
        const { height, width, pixels: rgb } = await decodeImage(damaged(encoded[which], change), 'image');
        expect(rgb).to.have.length(3 * height * width);
      });
    const which = fc.integer({ min: 0, max: encoded.length - 1 });
    await fc.assert(fc.asyncProperty(which, damage, decode), { numRuns: 600 });
  });
});
