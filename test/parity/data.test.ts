import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { decodeImage } from '../../data/decode.ts';
import type { Geometry, ImageSet, ImageSize } from '../../data/image-set.ts';
import { openImageSet } from '../../data/open.ts';
import { resize } from '../../data/resample.ts';
import { filterNames } from '../../data/resampling/filters.ts';
import { temporaryFolder } from '../data/images.ts';
import { reference } from '../reference.ts';
import { python } from './python.ts';

describe('Images beside Pillow', () => {
  describe('resampling', () => {
    const folder = temporaryFolder();

    it('is byte-equal on 300 random pairs of sizes, with six filters and cropped', async () => {
      const cases = await python<number[][]>('data.py', 'resize', folder.path, '300');
      const before = await readFile(folder.at('before'));
      const after = await readFile(folder.at('after'));
      let [from, to] = [0, 0];
      for (const [height, width, newHeight, newWidth, shorterSide] of cases) {
        const pixels = before.subarray(from, (from += 3 * height * width));
        const size = { height: newHeight, width: newWidth };
        const geometries: Geometry[] = filterNames.map((filter) => ({ ...size, filter }));
        for (const geometry of [...geometries, { ...size, filter: 'bilinear', shorterSide } as const]) {
          const expected = after.subarray(to, (to += 3 * newHeight * newWidth));
          const resized = resize({ height, width, pixels }, geometry);
          expect(expected.equals(resized), `${height}×${width} to ${JSON.stringify(geometry)}`).to.equal(
            true,
          );
        }
      }
      expect([from, to]).to.deep.equal([before.length, after.length]);
    });
  });

  describe('formats', () => {
    const folder = temporaryFolder();

    it('are read as convert("RGB") reads them', async () => {
      const names = await python<string[]>('data.py', 'formats', folder.path, '83', '101');
      const set = await openImageSet(folder.at('images'));
      expect(names.map((_, i) => set.imageName(i))).to.deep.equal(names);
      await expectSame(set, await readFile(folder.at('pixels')), { height: 83, width: 101 });
    });
  });

  describe('JPEG', () => {
    const folder = temporaryFolder();

    it('of 1,000 random sizes, qualities, samplings and restart intervals are decoded byte for byte', async () => {
      const sizes = await python<[number, number][]>('data.py', 'jpegs', folder.path, '1000');
      const expected = await readFile(folder.at('pixels'));
      let from = 0;
      for (const [i, [height, width]] of sizes.entries()) {
        const image = await decodeImage(await readFile(folder.at(`${i}.jpg`)), `${i}.jpg`);
        expect([image.height, image.width]).to.deep.equal([height, width]);
        const same = expected.subarray(from, (from += 3 * height * width)).equals(image.pixels);
        expect(same, `${i}.jpg`).to.equal(true);
      }
      expect(from).to.equal(expected.length);
    });
  });

  describe('tiny-imagenet', () => {
    const folder = temporaryFolder();

    it('is decoded and resized byte for byte, all 10,000 images of its test set', async function () {
      const archive = reference(this, 'data', 'tiny-imagenet-test.tar.xz');
      const names = await python<string[]>('data.py', 'archive', archive, folder.path);
      const set = await openImageSet(folder.at('images'));
      expect(set.length).to.equal(10_000);
      expect(names.map((_, i) => set.imageName(i))).to.deep.equal(names);
      await expectSame(set, await readFile(folder.at('whole')), { height: 64, width: 64 });
      await expectSame(set, await readFile(folder.at('small')), { height: 32, width: 32 });
    });
  });

  describe('CIFAR-10 as JPEG', () => {
    const folder = temporaryFolder();

    it('is decoded byte for byte, all 10,000 images of its test set', async function () {
      const archive = reference(this, 'data', 'cifar10-jpeg.tar.xz');
      await python<string[]>('data.py', 'archive', archive, folder.path, 'test/');
      const set = await openImageSet(folder.at('images'));
      expect(set.length).to.equal(10_000);
      await expectSame(set, await readFile(folder.at('whole')), { height: 32, width: 32 });
    });
  });

  describe('CIFAR', () => {
    const folder = temporaryFolder();

    it('is read from the pickles that Python writes', async () => {
      const { labels, names } = await python<{ labels: number[]; names: string[] }>(
        'data.py',
        'cifar',
        folder.path,
      );
      const set = await openImageSet(`${folder.path}:train`);
      expect(labels.map((_, i) => set.label(i))).to.deep.equal(labels);
      expect(set.classes).to.deep.equal(names);
      await expectSame(set, await readFile(folder.at('pixels')), { height: 32, width: 32 });
    });
  });

  describe('generated sets', () => {
    const folder = temporaryFolder();

    it('are what NumPy and SciPy draw', async () => {
      const size = { height: 32, width: 32 };
      for (const name of await python<string[]>('data.py', 'generated', folder.path, '20')) {
        const set = await openImageSet(name, { count: 20 });
        expectClose(await set.read(0, 20, size), await readFile(folder.at(name)), name);
      }
    });
  });

  describe('corruptions', () => {
    const folder = temporaryFolder();

    it('are those of NumPy, SciPy and Pillow, at every severity', async () => {
      const files = await python<Record<string, string>>('data.py', 'corrupted', folder.path, '6');
      expect(Object.keys(files)).to.have.length(2 * 8 * 5);
      for (const [spec, file] of Object.entries(files)) {
        const set = await openImageSet(spec);
        const side = Number(/-(\d+)\.npy$/.exec(spec)![1]);
        const pixels = await set.read(0, set.length, { height: side, width: side });
        expectClose(pixels, await readFile(file), spec);
      }
    });
  });

  describe('pure_color', () => {
    const folder = temporaryFolder();

    it("has NumPy's colours", async () => {
      await python('data.py', 'colors', folder.path);
      await expectSame(await openImageSet('pure_color'), await readFile(folder.at('colors')), {
        height: 1,
        width: 1,
      });
    });
  });
});

/** Every image of the set has these bytes at this size; the first that has not is named. */
async function expectSame(set: ImageSet, expected: Buffer, size: ImageSize): Promise<void> {
  const pixels = await set.read(0, set.length, size);
  const stride = 3 * size.height * size.width;
  const image = (bytes: Uint8Array, index: number) => bytes.subarray(stride * index, stride * (index + 1));
  const differing = Array.from({ length: set.length }, (_, i) => i)
    .filter((i) => Buffer.compare(image(pixels, i), image(expected, i)) !== 0)
    .map((i) => set.imageName(i));
  expect(differing).to.deep.equal([]);
  expect(pixels.length).to.equal(expected.length);
}

/** Bytes are equal, but where the last bits of a sum decide how it is rounded. */
function expectClose(pixels: Uint8Array, expected: Buffer, what: string): void {
  expect(pixels.length, what).to.equal(expected.length);
  let differing = 0;
  for (let i = 0; i < pixels.length; i++) {
    if (pixels[i] === expected[i]) continue;
    expect(Math.abs(pixels[i] - expected[i]), what).to.equal(1);
    differing++;
  }
  expect(differing / pixels.length, what).to.be.below(1e-3);
}
