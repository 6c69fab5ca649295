import { createHash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { DataError } from '../src/common/errors.ts';
import { imageExtensions } from './decode.ts';
import { decodeEach } from './decode-each.ts';
import type { ImageSet } from './image-set.ts';

/** Sub-folders that are parts of a set, not classes of it. */
const splits = new Set(['train', 'test', 'val', 'valid', 'validation']);

/**
 * A folder of images: one sub-folder a class (nested folders count to their class), or images without classes.
 * The order is that of Python's `sorted()`: by class, then by path. A folder that only holds one other is that other.
 *
 * @throws DataError where there is no image, where images lie both in the folder and in sub-folders, and where the
 *   sub-folders are `train` and `test`
 */
export async function openFolder(folder: string, name: string): Promise<ImageSet> {
  const { files: loose, folders } = await list(folder, true);
  const classes: string[] = [];
  const paths: string[] = [];
  const labels: number[] = [];
  for (const sub of folders) {
    // Classes may be links, for sets are often put together from them; below, a link could lead round in circles.
    const images = await imagesBelow(folder, sub);
    if (!images.length) continue;
    for (const path of images) {
      paths.push(path);
      labels.push(classes.length);
    }
    classes.push(sub);
  }
  refuse(folder, loose, paths, classes);
  return classes.length > 1
    ? set(folder, name, paths, { classes, labels })
    : set(folder, name, loose.concat(paths));
}

function refuse(folder: string, loose: string[], paths: string[], classes: string[]): void {
  if (!loose.length && !paths.length)
    throw new DataError(folder, 'holds no images', `expected files that end in ${imageExtensions.join(' ')}`);
  if (loose.length && paths.length)
    throw new DataError(
      folder,
      `holds images directly (${loose[0]}) and in sub-folders (${paths[0]})`,
      'move one kind away: sub-folders are classes',
    );
  if (classes.length > 1 && classes.every((name) => splits.has(name)))
    throw new DataError(
      folder,
      `holds the parts ${classes.join(', ')} of a set, not classes`,
      `name one: ${join(folder, classes[0])}`,
    );
}

/** The set of the images at `paths`, relative to `folder`, in this order. */
function set(
  folder: string,
  name: string,
  paths: readonly string[],
  known?: { classes: readonly string[]; labels: readonly number[] },
): ImageSet {
  return {
    name,
    length: paths.length,
    classes: known?.classes,
    label: (index) => known?.labels[index],
    imageName: (index) => paths[index],
    fingerprint: () => fingerprint(folder, paths),
    read: (start, count, geometry) =>
      decodeEach(
        paths.slice(start, start + count).map((path) => ({ where: join(folder, path) })),
        geometry,
      ),
  };
}

/** Paths, sizes and modification times, as `make` would ask: reading every byte would take as long as the work. */
async function fingerprint(folder: string, paths: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (let start = 0; start < paths.length; start += 256) {
    const some = paths.slice(start, start + 256);
    const stats = await Promise.all(some.map((path) => stat(join(folder, path))));
    some.forEach((path, i) => {
      hash.update(`${path}\0${stats[i].size}\0${Math.floor(stats[i].mtimeMs)}\n`);
    });
  }
  return hash.digest('hex');
}

/** Images in `folder/sub` and below it, as sorted paths relative to `folder`. */
async function imagesBelow(folder: string, sub: string): Promise<string[]> {
  const { files, folders } = await list(join(folder, sub), false);
  const paths = files.map((file) => `${sub}/${file}`);
  for (const inner of folders)
    for (const path of await imagesBelow(folder, `${sub}/${inner}`)) paths.push(path);
  return folders.length ? paths.sort() : paths;
}

/** Sorted names of the images and of the folders in `folder`; hidden ones are left out. */
async function list(folder: string, followLinks: boolean): Promise<{ files: string[]; folders: string[] }> {
  const files: string[] = [];
  const folders: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory() || (followLinks && (await leadsToFolder(folder, entry))))
      folders.push(entry.name);
    else if (imageExtensions.includes(extname(entry.name).toLowerCase())) files.push(entry.name);
  }
  return { files: files.sort(), folders: folders.sort() };
}

async function leadsToFolder(folder: string, entry: Dirent): Promise<boolean> {
  if (!entry.isSymbolicLink()) return false;
  const target = await stat(join(folder, entry.name)).catch(() => undefined);
  return target?.isDirectory() ?? false;
}
