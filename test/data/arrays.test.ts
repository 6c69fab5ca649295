import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { openImageSet } from '../../data/open.ts';
import { DataError } from '../../src/common/errors.ts';
import { loadHdf5 } from '../../src/common/hdf5.ts';
import { idx, mat, npy } from './files.ts';
import { temporaryFolder } from './images.ts';
import { rejection } from './rejection.ts';

const size = { height: 2, width: 3 };
/** Two images of 2 × 3 pixels, all bytes different. */
const bytes = Uint8Array.from({ length: 36 }, (_, i) => 7 * i);
const gray = bytes.subarray(0, 12);
const grayAsRgb = Uint8Array.from({ length: 36 }, (_, i) => gray[Math.floor(i / 3)]);
const constantBlue = bytes.map((byte, i) => (i % 3 === 2 ? 128 : byte));

describe('Arrays of images', () => {
  const folder = temporaryFolder();
  const write = async (name: string, content: Uint8Array) => {
    await writeFile(folder.at(name), content);
    return folder.at(name);
  };
  const refusal = async (name: string, content: Uint8Array) =>
    (await rejection(openImageSet(await write(name, content)), DataError)).message;

  describe('of NumPy', () => {
    it('are read in place, colours or grey', async () => {
      const color = await openImageSet(await write('color.npy', npy([2, 2, 3, 3], bytes)));
      expect([color.name, color.length, color.imageName(1)]).to.deep.equal(['color', 2, '1']);
      expect(await color.read(0, 2, size)).to.deep.equal(bytes);
      expect(await color.read(1, 1, size)).to.deep.equal(bytes.subarray(18));
      const one = await openImageSet(await write('grey.npy', npy([2, 3, 2], gray)));
      expect(await one.read(0, 2, { height: 3, width: 2 })).to.deep.equal(grayAsRgb);
      const last = await openImageSet(await write('last.npy', npy([2, 2, 3, 1], gray)));
      expect(await last.read(0, 2, size)).to.deep.equal(grayAsRgb);
    });

    it('may be one image in colours', async () => {
      const set = await openImageSet(await write('one.npy', npy([4, 3, 3], bytes)));
      expect(set.length).to.equal(1);
      expect(await set.read(0, 1, { height: 4, width: 3 })).to.deep.equal(bytes);
      const gray = await openImageSet(await write('grey.npy', npy([6, 6, 1], bytes)));
      expect(gray.length).to.equal(1);
      expect((await gray.read(0, 1, { height: 6, width: 6 })).filter((_, i) => i % 3 === 0)).to.deep.equal(
        bytes,
      );
      expect(
        (await rejection(openImageSet(await write('rgba.npy', npy([3, 3, 4], bytes))), DataError)).message,
      ).to.match(/rgba\.npy: holds an array of 3 × 3 × 4, not N × H × W × 3/);
    });

    it('may have a channel that is constant', async () => {
      const set = await openImageSet(await write('blue.npy', npy([2, 2, 3, 3], constantBlue)));
      expect(await set.read(0, 2, size)).to.deep.equal(constantBlue);
      const resized = await set.read(0, 2, { height: 5, width: 5 });
      expect(resized.filter((_, i) => i % 3 === 2).every((byte) => byte === 128)).to.equal(true);
    });

    it('of other types, shapes and orders are refused', async () => {
      const refusals: [Buffer, RegExp][] = [
        [npy([2, 2, 3, 3], bytes, '<f8'), /values of type <f8, not uint8; save uint8 images/],
        [npy([2, 2, 3, 3], bytes, '|u1', 'True'), /is stored by columns/],
        [npy([36], bytes), /an array of 36, not N × H × W × 3/],
        [npy([2, 3, 3, 2], bytes), /an array of 2 × 3 × 3 × 2, not N/],
        [
          npy([3, 2, 6], bytes),
          /3 × 2 × 6, whose colours seem to stand first; save image\.transpose\(1, 2, 0\) or, .* images\[\.\.\., None\]$/,
        ],
        [npy([1, 3, 2, 6], bytes), /seem to stand first; save images\.transpose\(0, 2, 3, 1\)$/],
        [npy([0, 2, 3, 3], new Uint8Array()), /holds no images: 0 images of 2 × 3 pixels/],
        [npy([3, 2, 3, 3], bytes), /cut short or damaged: 3 × 2 × 3 × 3 bytes are announced, 36 are there/],
        [npy([2, 99999, 99999, 3], bytes), /claims 2 images of 99999 × 99999 pixels/],
        [npy([2, 2, 3, 3], bytes).subarray(0, 40), /is cut short or damaged: it ends at byte 40/],
        [npy([2, 2, 3, 3], bytes).subarray(0, 9), /is cut short/],
      ];
      for (const [content, message] of refusals) expect(await refusal('bad.npy', content)).to.match(message);
    });
  });

  describe('as MNIST is published', () => {
    const labels = Uint8Array.of(3, 0);

    it('are a folder of four files, gzipped or not', async () => {
      for (const ending of ['', '.gz']) {
        const pack = (content: Buffer) => (ending ? gzipSync(content) : content);
        const name = `mnist${ending}`;
        await mkdir(folder.at(name));
        await write(`${name}/train-images-idx3-ubyte${ending}`, pack(idx([2, 2, 3], gray)));
        await write(`${name}/train-labels-idx1-ubyte${ending}`, pack(idx([2], labels)));
        await write(`${name}/t10k-images-idx3-ubyte${ending}`, pack(idx([1, 2, 3], gray.subarray(6))));
        const train = await openImageSet(`${folder.at(name)}:train`);
        expect(await train.read(0, 2, size)).to.deep.equal(grayAsRgb);
        expect([0, 1].map(train.label)).to.deep.equal([3, 0]);
        expect(train.classes).to.deep.equal(['0', '1', '2', '3']);
        const test = await openImageSet(`${folder.at(name)}:test`);
        expect([test.length, test.label(0), test.classes]).to.deep.equal([1, undefined, undefined]);
        const file = await openImageSet(folder.at(name, `train-images-idx3-ubyte${ending}`));
        expect(file.label(0)).to.equal(3);
        expect((await rejection(openImageSet(folder.at(name)), DataError)).message).to.match(
          /holds IDX files to train and to test on; say .*:train or :test$/,
        );
      }
    });

    it('that do not fit together or are damaged are refused', async () => {
      await mkdir(folder.at('odd'));
      await write('odd/train-labels-idx1-ubyte', idx([3], Uint8Array.of(1, 2, 3)));
      const images = 'odd/train-images-idx3-ubyte';
      expect(await refusal(images, idx([2, 2, 3], gray))).to.match(/holds 3 labels in 3 bytes for 2 images/);
      expect(await refusal('a.idx', idx([2, 2, 4], gray))).to.match(
        /2 × 2 × 4 bytes are announced, 12 are there/,
      );
      expect(await refusal('a.idx', idx([2 ** 31, 2, 3], gray))).to.match(
        /2147483648 × 2 × 3 bytes are announced/,
      );
      expect(await refusal('a.idx', idx([12], gray))).to.match(/holds an array of 12, not images/);
      expect(await refusal('a.idx', idx([2, 2, 3], gray).subarray(0, 14))).to.match(
        /is no IDX file of bytes/,
      );
      const packed = gzipSync(idx([2, 2, 3], gray));
      expect(await refusal('a.idx.gz', packed.subarray(0, -9))).to.match(/a\.idx\.gz: is damaged: it cannot/);
    });
  });

  describe("as SVHN's digits", () => {
    // Down an image first, then across it, its colours, and the images.
    const shape = [2, 3, 3, 2];
    const stored = Uint8Array.from({ length: 36 }, (_, i) => {
      const [y, x, c, n] = [i % 2, Math.floor(i / 2) % 3, Math.floor(i / 6) % 3, Math.floor(i / 18)];
      return bytes[18 * n + 9 * y + 3 * x + c];
    });
    const arrays = { X: { shape, bytes: stored }, y: { shape: [2, 1], bytes: Uint8Array.of(10, 4) } };

    it('are read from a MAT-file, compressed or not, and 10 is the digit 0', async () => {
      await mkdir(folder.at('svhn'));
      await write('svhn/train_32x32.mat', mat(arrays));
      await write('svhn/test_32x32.mat', mat(arrays, false));
      for (const path of ['svhn:train', 'svhn:test', 'svhn/train_32x32.mat']) {
        const set = await openImageSet(folder.at(path));
        expect(await set.read(0, 2, size), path).to.deep.equal(bytes);
        expect([0, 1].map(set.label)).to.deep.equal([0, 4]);
        expect(set.classes).to.have.length(10);
      }
      expect((await rejection(openImageSet(folder.at('svhn')), DataError)).message).to.match(
        /:train or :test$/,
      );
    });

    it('that are damaged, or something else, are refused', async () => {
      const packed = mat({ X: arrays.X });
      const flipped = Buffer.from(packed);
      flipped[packed.length - 2] ^= 1;
      const version73 = Buffer.from('MATLAB 7.3 MAT-file, made elsewhere'.padEnd(512));
      const refusals: [Buffer, RegExp][] = [
        [packed.subarray(0, -7), /an element of \d+ bytes at byte 128 goes beyond its end/],
        [flipped, /cannot be unpacked \(incorrect data check\)/],
        [mat({ Z: arrays.X }), /has no array X; expected SVHN/],
        [mat({ X: { shape: [4, 9], bytes: stored } }), /its X is uint8 of 4 × 9/],
        [mat({ X: { shape: [2, 3, 3, 3], bytes: stored } }), /X has 36 bytes for 2 × 3 × 3 × 3/],
        [mat({ ...arrays, y: { shape: [2], bytes: Uint8Array.of(1, 11) } }), /label 1 is 11, not 1 … 10/],
        [
          mat({ ...arrays, y: { shape: [1], bytes: Uint8Array.of(1) } }),
          /y is 1 bytes of uint8 for 2 images/,
        ],
        [mat(arrays).subarray(0, 131), /is cut short or damaged/],
        [version73, /is a MAT-file of version 7\.3; save it with MATLAB's -v7/],
      ];
      for (const [content, message] of refusals) expect(await refusal('bad.mat', content)).to.match(message);
    });
  });

  describe("as the original's HDF5 files", () => {
    const hdf5 = async (name: string, datasets: Record<string, { data: unknown; shape: number[] }>) => {
      const library = await loadHdf5();
      const file = new library.File(folder.at(name), 'w');
      for (const [key, { data, shape }] of Object.entries(datasets))
        file.create_dataset({ name: key, data: data as Uint8Array, shape });
      file.close();
      return folder.at(name);
    };
    const shape = [2, 2, 3, 3];

    it('hold bytes, whole numbers, or shares of 255', async () => {
      const kinds = {
        bytes,
        float64: Float64Array.from(bytes),
        float32: Float32Array.from(bytes),
        unit64: Float64Array.from(bytes, (byte) => byte / 255),
        unit32: Float32Array.from(bytes, (byte) => byte / 255),
      };
      for (const [name, data] of Object.entries(kinds)) {
        const set = await openImageSet(await hdf5(`${name}.hdf5`, { data: { data, shape } }));
        expect(await set.read(0, 2, size), name).to.deep.equal(bytes);
        expect(await set.read(1, 1, size), name).to.deep.equal(bytes.subarray(18));
      }
      const one = await openImageSet(await hdf5('grey.hdf5', { data: { data: gray, shape: [2, 2, 3] } }));
      expect(await one.read(0, 2, size)).to.deep.equal(grayAsRgb);
    });

    it('with values that are no bytes, or without the dataset, are refused', async () => {
      const values = Float64Array.from(bytes);
      values[20] = 12.5;
      const set = await openImageSet(await hdf5('half.hdf5', { data: { data: values, shape } }));
      expect((await rejection(set.read(0, 2, size), DataError)).message).to.match(
        /half\.hdf5: image 1 has the value 12\.5, which is no 8-bit sample/,
      );
      const refused = async (name: string, key: string, data: unknown, sizes: number[]) =>
        (await rejection(openImageSet(await hdf5(name, { [key]: { data, shape: sizes } })), DataError))
          .message;
      expect(await refused('other.hdf5', 'images', bytes, shape)).to.match(
        /has no HDF5 dataset data, but images/,
      );
      expect(await refused('flat.hdf5', 'data', bytes, [36])).to.match(/data has the shape 36/);
      expect(await refused('int.hdf5', 'data', Int32Array.from(bytes), shape)).to.match(
        /values of type "<i"/,
      );
      const whole = await hdf5('whole.hdf5', { data: { data: bytes, shape } });
      const content = await readFile(whole);
      expect(await refusal('cut.hdf5', content.subarray(0, 300))).to.match(
        /cut\.hdf5: is a damaged HDF5 file/,
      );
    });
  });
});
