import { createHash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { opendir, readFile, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { DataError } from '../../src/common/errors.ts';
import { KIND_BYTES } from '../image-kind.ts';
import { fileSource } from './byte-source.ts';
import { type FileTree, isHidden } from './file-tree.ts';
import { Names } from './packed-names.ts';

/**
 * The files in a folder and below it, hidden ones left out. Links to files are followed, and links to folders where
 * they lie in the folder itself, since sets are often put together from them; further down a link could lead round in
 * circles.
 */
export async function folderTree(folder: string): Promise<FileTree> {
  const names = new Names();
  // A name is any bytes but a slash: as Latin-1 it is text that gives them back.
  const pending = [''];
  for (let inner = pending.pop(); inner !== undefined; inner = pending.pop())
    for await (const entry of await opendir(pathIn(folder, bytesOf(inner)), {
      bufferSize: 1024,
      encoding: 'latin1',
    })) {
      if (isHidden(entry.name)) continue;
      const name = inner + entry.name;
      const bytes = bytesOf(name);
      const kind = await kindOf(entry, pathIn(folder, bytes));
      if (kind === 'file') names.add(bytes);
      if (kind === 'folder' && (entry.isDirectory() || inner === '')) pending.push(`${name}/`);
    }
  return filesIn(folder, names);
}

/**
 * Files of these names in a folder.
 *
 * @param where what to call them all, the folder if not given
 */
export function filesIn(folder: string, names: Names, where = folder): FileTree {
  const describe = (index: number) => join(folder, names.at(index));
  // A name that is no UTF-8 has no text that leads to it.
  const path = (index: number) => {
    const bytes = names.bytes(index);
    return bytes ? pathIn(folder, bytes) : describe(index);
  };
  const refusing = <T>(index: number, work: Promise<T>) =>
    work.catch((error) => refuse(describe(index), error));
  return {
    where,
    names,
    describe,
    path: (index) => (names.bytes(index) ? undefined : describe(index)),
    read: (index) => refusing(index, readFile(path(index))),
    open: (index) => refusing(index, fileSource(path(index), describe(index))),
    async head(index) {
      const file = await refusing(index, fileSource(path(index), describe(index)));
      return file.read(0, Math.min(KIND_BYTES, file.size));
    },
    async fingerprint(files) {
      const hash = createHash('sha256');
      for (let start = 0; start < files.length; start += 256) {
        const some = Array.from(files.subarray(start, start + 256));
        const stats = await Promise.all(some.map((index) => refusing(index, stat(path(index)))));
        // Paths, sizes and modification times, as `make` would ask: reading every byte would take as long as the work.
        some.forEach((index, i) => {
          hash.update(`${names.at(index)}\0${stats[i].size}\0${Math.floor(stats[i].mtimeMs)}\n`);
        });
      }
      return hash.digest('hex');
    },
  };
}

function bytesOf(name: string): Buffer {
  return Buffer.from(name, 'latin1');
}

/** A file of this name, whatever bytes it is. */
export function pathIn(folder: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(folder + sep), name]);
}

/** Pipes and devices are neither: reading one could wait for ever. */
async function kindOf(entry: Dirent, path: Buffer): Promise<'file' | 'folder' | undefined> {
  const found = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry;
  if (found?.isFile()) return 'file';
  return found?.isDirectory() ? 'folder' : undefined;
}

function refuse(path: string, error: NodeJS.ErrnoException): never {
  if (error instanceof DataError) throw error;
  throw new DataError(
    path,
    error.code === 'ENOENT' ? 'no such file' : `cannot be read (${error.code})`,
    'put it there, or take it out of the set',
  );
}
