import { readFile } from 'node:fs/promises';
import { relative } from 'node:path';
import { expect } from 'chai';
import type { ImageSet } from '../../data/image-set.ts';
import { type OpenOptions, openImageSet } from '../../data/open.ts';
import { temporaryFolder } from '../data/images.ts';
import { python } from './python.ts';

/** What to open, and what Python's libraries read there. */
interface Case {
  readonly spec: string;
  readonly options: OpenOptions;
  /** The file with the pixels of all images, which have one size. */
  readonly pixels: string;
  readonly size: readonly [height: number, width: number];
  readonly count: number;
  readonly names: string[] | null;
  /** -1 where an image has none. */
  readonly labels: number[] | null;
  readonly classes: string[] | null;
}

describe('Formats beside the Python libraries', () => {
  const titles = {
    kinds: 'image files of every kind, beside Pillow',
    oriented: 'EXIF orientations, beside Pillow',
    arrays: 'arrays, beside NumPy, SciPy and h5py',
    archives: 'archives, beside zipfile and tarfile',
    openood: "OpenOOD's lists",
    published: 'CIFAR and tiny-imagenet as they are published',
    databases: 'LMDB, beside lmdb',
    tables: 'Parquet, beside pyarrow',
  };
  for (const [command, title] of Object.entries(titles))
    describe(title, () => {
      const folder = temporaryFolder();

      it('have the same images, names, labels and classes', async () => {
        const cases = await python<Case[]>('formats.py', command, folder.path);
        expect(cases.length).to.be.above(0);
        for (const expected of cases) await expectSame(expected, relative(folder.path, expected.spec));
      });
    });
});

async function expectSame(expected: Case, spec: string): Promise<void> {
  const set = await openImageSet(expected.spec, expected.options);
  const all = Array.from({ length: set.length }, (_, i) => i);
  expect(set.length, spec).to.equal(expected.count);
  expect(set.classes ?? null, spec).to.deep.equal(expected.classes);
  expect(all.map(set.label), spec).to.deep.equal(
    all.map((i) => (expected.labels && expected.labels[i] >= 0 ? expected.labels[i] : undefined)),
  );
  if (expected.names) expect(all.map(set.imageName), spec).to.deep.equal(expected.names);
  expect(await differing(set, await readFile(expected.pixels), expected.size), spec).to.deep.equal([]);
}

/** Names of the images that have other pixels; the set is read in two unequal parts. */
async function differing(
  set: ImageSet,
  expected: Buffer,
  [height, width]: readonly [number, number],
): Promise<string[]> {
  const first = Math.floor(set.length / 3);
  const size = { height, width };
  const pixels = Buffer.concat([
    await set.read(0, first, size),
    await set.read(first, set.length - first, size),
  ]);
  expect(pixels.length).to.equal(expected.length);
  const stride = 3 * height * width;
  const image = (bytes: Buffer, index: number) => bytes.subarray(stride * index, stride * (index + 1));
  return Array.from({ length: set.length }, (_, i) => i)
    .filter((i) => !image(pixels, i).equals(image(expected, i)))
    .map(set.imageName);
}
