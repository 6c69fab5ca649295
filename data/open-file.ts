import { basename, dirname, join } from 'node:path';
import { DataError } from '../src/common/errors.ts';
import { isCifarBatch, openCifarBatch } from './cifar/cifar-set.ts';
import { type ByteSource, fileSource } from './files/byte-source.ts';
import { filesIn } from './files/folder-tree.ts';
import { ungzipped } from './files/inflate.ts';
import { beginsLmdb, openLmdb } from './files/lmdb.ts';
import { Names } from './files/packed-names.ts';
import { beginsTar, openTar } from './files/tar.ts';
import { beginsZip, openZip } from './files/zip.ts';
import { beginsHdf5, holdsImages, openHdf5Images } from './formats/hdf5-images.ts';
import { beginsIdx, labelsFileName, openIdx } from './formats/idx.ts';
import { beginsImageList, openImageList } from './formats/image-list.ts';
import { beginsMatlab } from './formats/matlab.ts';
import { beginsNpy, openNpy } from './formats/npy.ts';
import { beginsParquet, openParquet } from './formats/parquet.ts';
import { openSvhn } from './formats/svhn.ts';
import { allFiles, imageFileSet } from './image-files.ts';
import { imageKind, isImageName, unreadKind } from './image-kind.ts';
import type { ImageSet } from './image-set.ts';
import type { Request } from './layouts/layout.ts';
import { openTree } from './layouts/open-tree.ts';

/** A kind of file that holds images. */
interface Format {
  /** Whether a file of this name that begins with these bytes is one. */
  matches(head: Uint8Array, path: string): boolean;
  open(source: ByteSource, request: Request): Promise<ImageSet>;
  /** Whether it may hold several parts, so that one can be asked for. */
  readonly hasParts?: true;
}

const formats: readonly Format[] = [
  {
    matches: beginsZip,
    open: async (source, request) => openTree(await openZip(source), request),
    hasParts: true,
  },
  {
    matches: beginsTar,
    open: async (source, request) => openTree(await openTar(source), request),
    hasParts: true,
  },
  { matches: beginsHdf5, open: (source, { name }) => openHdf5Images(source, name) },
  { matches: beginsNpy, open: (source, { name }) => openNpy(source, name) },
  { matches: beginsMatlab, open: (source, { name }) => openSvhn(source, name) },
  { matches: beginsIdx, open: async (source, { name }) => openIdx(source, name, await labelsBeside(source)) },
  {
    matches: beginsLmdb,
    async open(source, request) {
      const tree = await openLmdb(source);
      return imageFileSet({ tree, files: allFiles(tree) }, request);
    },
  },
  {
    matches: beginsParquet,
    open: async (source, request) => imageFileSet(await openParquet(source.where, [source]), request),
  },
  {
    matches: (_, path) => isCifarBatch(basename(path)),
    open: (source, { name }) => openCifarBatch(source, basename(source.where), name),
  },
  {
    matches: (head, path) => imageKind(head) !== undefined || isImageName(path),
    async open({ where }, request) {
      const names = new Names();
      names.add(basename(where));
      return imageFileSet(
        { tree: filesIn(dirname(where), names, where), files: new Uint32Array(1) },
        request,
      );
    },
  },
  {
    matches: beginsImageList,
    open: async (source, request) => imageFileSet(await openImageList(source), request),
  },
];

/** Compressed files of other kinds, by how they begin. */
const refused: readonly [magic: string, remedy: string][] = [
  ['fd377a585a00', 'unpack it with xz -d'],
  ['425a68', 'unpack it with bzip2 -d'],
  ['28b52ffd', 'unpack it with zstd -d'],
  ['377abcaf271c', 'unpack it with 7z x'],
  ['526172211a07', 'unpack it with unrar x'],
];

/**
 * Opens a file of images, whose format is told by its first bytes: an archive, an array, a database, a list, an image.
 * A gzipped one is unpacked into memory.
 *
 * @throws DataError where it is of no known format, or damaged
 */
export async function openFile(path: string, request: Request): Promise<ImageSet> {
  const source = await ungzipped(await fileSource(path));
  if (source.size === 0) throw new DataError(path, 'is empty', 'download it again');
  const head = await source.read(0, Math.min(4096, source.size));
  const format = formats.find(({ matches }) => matches(head, path));
  if (!format) throw notASet(path, head);
  if (request.part && !format.hasParts)
    throw new DataError(path, `has no part ${request.part}: it is one set`, `say ${path}`);
  return format.open(source, request);
}

/**
 * Whether a file holds images, and not a network, weights or features: those lie in files of the same formats. Only the
 * first bytes are looked at.
 */
export async function isImageFile(path: string): Promise<boolean> {
  const source = await fileSource(path);
  const head = await source.read(0, Math.min(4096, source.size));
  if (beginsHdf5(head)) return holdsImages(path);
  // The first file in an archive of PyTorch.
  if (beginsZip(head)) return !Buffer.from(head).toString('latin1').includes('data.pkl');
  const isGzip = head[0] === 0x1f && head[1] === 0x8b;
  return isGzip || formats.some(({ matches }) => matches(head, path));
}

function notASet(path: string, head: Uint8Array): DataError {
  const start = Buffer.from(head.subarray(0, 128));
  const known = refused.find(([magic]) => start.toString('hex').startsWith(magic));
  if (known) return new DataError(path, 'is compressed in a way that is not read', known[1]);
  if (start.toString('latin1').startsWith('MATLAB 7.3'))
    return new DataError(path, 'is a MAT-file of version 7.3', "save it with MATLAB's -v7");
  return new DataError(
    path,
    `is ${unreadKind(head)}, not a set of images`,
    'expected an image, a folder, a zip or tar archive, .npy, .mat (SVHN), .hdf5, IDX, LMDB, Parquet or a list of image files',
  );
}

/** The file of labels that lies beside one of images. */
async function labelsBeside({ where }: ByteSource): Promise<ByteSource | undefined> {
  const name = labelsFileName(basename(where));
  return name === undefined ? undefined : fileSource(join(dirname(where), name)).catch(() => undefined);
}
