import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { expect } from 'chai';
import { decodeImage } from '../../data/decode.ts';
import { type ByteSource, fileSource } from '../../data/files/byte-source.ts';
import { type FileTree, isHidden } from '../../data/files/file-tree.ts';
import { ungzipped } from '../../data/files/inflate.ts';
import { openTar } from '../../data/files/tar.ts';
import { beginsZip, openZip } from '../../data/files/zip.ts';
import { beginsMatlab, readMatlab } from '../../data/formats/matlab.ts';
import { imageKind } from '../../data/image-kind.ts';
import { openImageSet } from '../../data/open.ts';
import { DataError } from '../../src/common/errors.ts';
import { temporaryFolder } from '../data/images.ts';
import { python } from './python.ts';

/** A file, and what Python's library reads of it: nothing where it refuses it. */
interface Found<T> {
  readonly path: string;
  readonly read: T | null;
}

interface LibraryFiles {
  readonly images: readonly Found<{ size: [number, number]; sha: string }>[];
  readonly archives: readonly Found<Record<string, string | null>>[];
  readonly matrices: readonly Found<Record<string, { shape: number[]; sha: string; kind: string }>>[];
  readonly hdf5: readonly Found<string[]>[];
}

type Outcome =
  | 'same'
  | 'refused here'
  | 'refused by both'
  | 'refused by Python alone'
  | 'AVIF'
  | 'stored as a smaller type'
  | 'passed over here';

describe("Test files of Python's libraries: the same, or refused by name", () => {
  const folder = temporaryFolder();
  let files: LibraryFiles;

  before(async () => {
    files = await python<LibraryFiles>('library-files.py', folder.path);
  });

  it("Pillow's images: the same pixels", async () => {
    expect(files.images.length).to.be.above(500);
    const counts = new Map<Outcome, number>();
    for (const { path, read } of files.images) {
      const bytes = await readFile(path);
      const ours = await orRefusal(decodeImage(bytes, path));
      if (ours && read && imageKind(bytes) !== 'AVIF') {
        expect([ours.height, ours.width], path).to.deep.equal(read.size);
        expect(sha(ours.pixels), path).to.equal(read.sha);
      }
      count(counts, ours && read && imageKind(bytes) === 'AVIF' ? 'AVIF' : outcome(ours, read));
    }
    tell(counts);
  });

  it("CPython's archives: the same members", async function () {
    if (files.archives.length === 0) {
      console.log("      CPython's tests are not installed (LA_OOD_CPYTHON_TESTS)");
      this.skip();
    }
    const counts = new Map<Outcome, number>();
    const ofMembers = new Map<Outcome, number>();
    for (const { path, read } of files.archives) {
      const tree = await orRefusal(openArchive(await fileSource(path)));
      count(counts, outcome(tree, read));
      if (!tree || !read) continue;
      const names = Array.from(tree.names.keys(), (file) => tree.names.at(file));
      const expected = Object.keys(read).filter((name) => !isHidden(name));
      expect(names.filter((name) => !(name in read)).filter(isLinkless), path).to.deep.equal([]);
      expect(
        expected.filter((name) => !names.includes(name)),
        path,
      ).to.deep.equal([]);
      for (const [file, name] of names.entries()) {
        const ours = await orRefusal(tree.read(file));
        if (ours && read[name]) expect(sha(ours), `${path}: ${name}`).to.equal(read[name]);
        count(ofMembers, outcome(ours, read[name] ?? null));
      }
    }
    tell(counts);
    tell(ofMembers, 'members');
  });

  it("SciPy's MAT-files: the same arrays", async () => {
    expect(files.matrices.length).to.be.above(50);
    const counts = new Map<Outcome, number>();
    for (const { path, read } of files.matrices) {
      const source = await fileSource(path);
      const isOurs = beginsMatlab(await source.read(0, Math.min(128, source.size)));
      const names = new Set(Object.keys(read ?? {}));
      const arrays = isOurs ? await orRefusal(readMatlab(source, names)) : undefined;
      if (!arrays || !read) {
        count(counts, outcome(arrays, read));
        continue;
      }
      for (const [name, { shape, sha: expected, kind }] of Object.entries(read)) {
        const array = arrays.get(name);
        // Few values are kept as what they are: whole numbers below 256 become bytes.
        const isAsItIs = array && sizes[array.stored] === kind;
        if (isAsItIs) {
          expect(array.shape, `${path}: ${name}`).to.deep.equal(shape);
          expect(sha(await array.values.read(0, array.values.size)), `${path}: ${name}`).to.equal(expected);
        }
        count(counts, isAsItIs ? 'same' : array ? 'stored as a smaller type' : 'passed over here');
      }
    }
    tell(counts, 'arrays');
  });

  it("h5py's files: none of images, each refused by name", async () => {
    expect(files.hdf5.length).to.be.above(1);
    for (const { path } of files.hdf5) {
      const error = await openImageSet(path).catch((reason: Error) => reason);
      expect(error, path).to.be.instanceOf(DataError);
      expect((error as DataError).message).to.include(basename(path));
    }
    console.log(`      ${files.hdf5.length} refused by name`);
  });
});

/** NumPy's names of what MAT-files store. */
const sizes: Readonly<Record<string, string>> = {
  ...{
    int8: 'i1',
    uint8: 'u1',
    int16: 'i2',
    uint16: 'u2',
    int32: 'i4',
    uint32: 'u4',
    single: 'f4',
    double: 'f8',
  },
};

async function openArchive(file: ByteSource): Promise<FileTree> {
  const source = await ungzipped(file);
  return beginsZip(await source.read(0, Math.min(4, source.size))) ? openZip(source) : openTar(source);
}

/** Links and sparse files are named here, and refused when they are read; tarfile counts them otherwise. */
function isLinkless(name: string): boolean {
  return !/(sym|lnk|link|sparse)/i.test(name);
}

/** Nothing where a file is refused, by name and in one line; another error is a defect. */
async function orRefusal<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    expect(error.message).not.to.match(/\p{Cc}/u);
    return undefined;
  }
}

function outcome(ours: unknown, theirs: unknown): Outcome {
  if (ours) return theirs ? 'same' : 'refused by Python alone';
  return theirs ? 'refused here' : 'refused by both';
}

function count<T>(counts: Map<T, number>, what: T): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

function tell(counts: ReadonlyMap<Outcome, number>, what = 'files'): void {
  console.log(
    `      ${what}: ${Array.from(counts, ([outcome, number]) => `${number} ${outcome}`).join(', ')}`,
  );
}

function sha(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
