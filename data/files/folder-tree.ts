import { createHash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { opendir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DataError } from '../../src/common/errors.ts';
import { fileSource } from './byte-source.ts';
import { type FileTree, isHidden } from './file-tree.ts';
import { Names } from './names.ts';

/**
 * The files in a folder and below it, hidden ones left out. Links to files are followed, and links to folders where
 * they lie in the folder itself, since sets are often put together from them; further down a link could lead round in
 * circles.
 */
export async function folderTree(folder: string): Promise<FileTree> {
  const names = new Names();
  const pending = [''];
  for (let inner = pending.pop(); inner !== undefined; inner = pending.pop())
    for await (const entry of await opendir(join(folder, inner), { bufferSize: 1024 })) {
      if (isHidden(entry.name)) continue;
      const name = inner + entry.name;
      const kind = await kindOf(entry, join(folder, name));
      if (kind === 'file') names.add(name);
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
  const path = (index: number) => join(folder, names.at(index));
  return {
    where,
    names,
    isOnDisk: true,
    describe: path,
    read: (index) => readFile(path(index)).catch((error) => refuse(path(index), error)),
    open: (index) => fileSource(path(index)),
    fingerprint: (files) => fingerprint(files, names, path),
  };
}

/** Pipes and devices are neither: reading one could wait for ever. */
async function kindOf(entry: Dirent, path: string): Promise<'file' | 'folder' | undefined> {
  const found = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry;
  if (found?.isFile()) return 'file';
  return found?.isDirectory() ? 'folder' : undefined;
}

/** Paths, sizes and modification times, as `make` would ask: reading every byte would take as long as the work. */
async function fingerprint(
  files: Uint32Array,
  names: Names,
  path: (index: number) => string,
): Promise<string> {
  const hash = createHash('sha256');
  for (let start = 0; start < files.length; start += 256) {
    const some = Array.from(files.subarray(start, start + 256));
    const stats = await Promise.all(
      some.map((index) => stat(path(index)).catch((error) => refuse(path(index), error))),
    );
    some.forEach((index, i) => {
      hash.update(`${names.at(index)}\0${stats[i].size}\0${Math.floor(stats[i].mtimeMs)}\n`);
    });
  }
  return hash.digest('hex');
}

function refuse(path: string, error: NodeJS.ErrnoException): never {
  throw new DataError(
    path,
    error.code === 'ENOENT' ? 'no such file' : `cannot be read (${error.code})`,
    'put it there, or take it out of the set',
  );
}
