import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { DataError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import { KIND_BYTES } from '../image-kind.ts';
import { type ByteSource, sha256Of } from './byte-source.ts';
import { Names } from './packed-names.ts';

/** Files by number, each with a path below one root, whatever holds them: a folder, an archive, a database. */
export interface FileTree {
  /** The folder or the archive, for messages. */
  readonly where: string;
  /** Paths relative to the root, with slashes. */
  readonly names: Names;
  /** What to call file `index` in a message. */
  describe(index: number): string;
  /** The path of file `index` on disk, where it has one that is text. */
  path?(index: number): string | undefined;
  /** The first bytes of a file, which tell its kind. */
  head(index: number): Promise<Uint8Array>;
  /** All bytes of a small file. */
  read(index: number): Promise<Uint8Array>;
  /** A large file, to be read in parts. */
  open(index: number): Promise<ByteSource>;
  /** Hex SHA-256 that changes when one of these files does. */
  fingerprint(files: Uint32Array): Promise<string>;
}

/** What every kind of archive has in common: the names in it, and where the bytes of each are. */
export function archiveTree(
  archive: ByteSource,
  names: Names,
  open: (index: number) => Promise<ByteSource>,
): FileTree {
  return {
    where: archive.where,
    names,
    describe: (index) => `${archive.where}: ${printable(names.at(index))}`,
    async read(index) {
      const file = await open(index);
      return file.read(0, file.size);
    },
    async head(index) {
      const file = await open(index);
      return file.read(0, Math.min(KIND_BYTES, file.size));
    },
    open,
    fingerprint: async (files) =>
      createHash('sha256')
        .update(await sha256Of(archive))
        .update(files)
        .digest('hex'),
  };
}

/** The files below one folder of a tree, `a/b/` say, named from there; undefined where there are none. */
export function subtree(tree: FileTree, folder: string): FileTree | undefined {
  const names = new Names();
  const numbers: number[] = [];
  for (let i = 0; i < tree.names.length; i++) {
    const name = tree.names.at(i);
    if (!name.startsWith(folder)) continue;
    numbers.push(i);
    names.add(name.slice(folder.length));
  }
  if (numbers.length === 0) return undefined;
  return {
    where: tree.where,
    names,
    path: (index) => tree.path?.(numbers[index]),
    head: (index) => tree.head(numbers[index]),
    describe: (index) => tree.describe(numbers[index]),
    read: (index) => tree.read(numbers[index]),
    open: (index) => tree.open(numbers[index]),
    fingerprint: (files) => tree.fingerprint(files.map((index) => numbers[index])),
  };
}

/** The folder at the top that all files are in, with a slash at its end, or nothing where there are several. */
export function topFolder({ names }: FileTree): string {
  const first = names.length > 0 ? names.at(0) : '';
  const folder = first.slice(0, first.indexOf('/') + 1);
  for (let i = 1; folder && i < names.length; i++) if (!names.at(i).startsWith(folder)) return '';
  return folder;
}

/** Hidden files, and what macOS puts beside the files in an archive, are no part of a set. */
export function isHidden(name: string): boolean {
  return /(^|\/)(\.|__MACOSX\/)/.test(name);
}

/**
 * The name of a file in an archive as the folder that it unpacks to has it, without `./` in it.
 *
 * @throws DataError where it leads out of the archive: nothing would be written there, but the archive is not honest
 */
export function memberName(where: string, name: string): string {
  if (
    name.startsWith('/') ||
    /^[a-z]:[\\/]/i.test(name) ||
    name.split(/[/\\]/).includes('..') ||
    name.includes('\0')
  )
    throw new DataError(
      where,
      `holds a file named ${printable(name)}, which leads out of it`,
      'do not trust this archive',
    );
  const plain = posix.normalize(name);
  return plain === './' ? '' : plain;
}
