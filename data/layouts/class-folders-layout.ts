import { join } from 'node:path';
import { DataError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import { type FileTree, topFolder } from '../files/file-tree.ts';
import type { SortedFiles } from '../files/sort-files.ts';
import type { ImageFiles } from '../image-files.ts';
import { imageExtensions } from '../image-kind.ts';
import { type Part, parts } from '../image-set.ts';

/** Sub-folders that are parts of a set, not classes of it. */
const splits = new Set(['train', 'test', 'val', 'valid', 'validation']);

/**
 * Image files of a tree by folder: one folder a class (nested folders count to their class), or images without classes. A folder
 * that only holds one other is that other: `dtd/images/banded/…` are DTD's classes.
 * The order is that of Python's `sorted()`: by class, then by path.
 *
 * @throws DataError where there is no image, where images lie both in the folder and in sub-folders, and where the
 *   sub-folders are `train` and `test`
 */
export function classFolders(tree: FileTree, { images, leftOut }: SortedFiles): ImageFiles {
  const { where, names } = tree;
  if (images.length === 0) {
    const others = leftOut.slice(0, 3).map(({ name, kind }) => `${printable(name)} (${kind})`);
    throw new DataError(
      where,
      others.length ? `holds no images that are read: ${others.join(', ')}` : 'holds no images',
      `expected files that end in ${imageExtensions.join(' ')}, or are such files by their first bytes`,
    );
  }
  const root = commonFolder(tree, images);
  const byClass = new Map<string, number[]>();
  for (const image of images) {
    const path = names.at(image).slice(root.length);
    const folder = path.slice(0, Math.max(path.indexOf('/'), 0));
    const members = byClass.get(folder);
    if (members) members.push(image);
    else byClass.set(folder, [image]);
  }
  for (const members of byClass.values()) members.sort((a, b) => names.compare(a, b));
  const loose = byClass.get('');
  if (loose && byClass.size === 1) return { tree, files: Uint32Array.from(loose), leftOut };
  const classes = [...byClass.keys()].sort(byCodePoint);
  refuse(tree, root, byClass, classes);
  const files = new Uint32Array(images.length);
  const labels = new Uint32Array(images.length);
  let done = 0;
  classes.forEach((name, label) => {
    const members = byClass.get(name)!;
    files.set(members, done);
    labels.fill(label, done, (done += members.length));
  });
  return { tree, files, labels, classes, leftOut };
}

/** The deepest folder that all of them are in, with a slash at its end. */
function commonFolder({ names }: FileTree, images: readonly number[]): string {
  const first = names.at(images[0]);
  let folder = first.slice(0, first.lastIndexOf('/') + 1);
  for (const image of images) {
    const name = names.at(image);
    while (!name.startsWith(folder)) folder = folder.slice(0, folder.lastIndexOf('/', folder.length - 2) + 1);
    if (folder === '') break;
  }
  return folder;
}

function refuse(
  tree: FileTree,
  root: string,
  byClass: ReadonlyMap<string, readonly number[]>,
  classes: readonly string[],
): void {
  const { where, names } = tree;
  const nameOf = ([first]: readonly number[]) => printable(names.at(first));
  const loose = byClass.get('');
  if (loose)
    throw new DataError(
      where,
      `holds images directly (${nameOf(loose)}) and in sub-folders (${nameOf(byClass.get(classes[1])!)})`,
      'move one kind away: sub-folders are classes',
    );
  if (!classes.every((name) => splits.has(name))) return;
  const isPart = (name: string): name is Part => parts.includes(name as Part);
  const part = root === '' || root === topFolder(tree) ? classes.find(isPart) : undefined;
  throw new DataError(
    join(where, root),
    `holds the parts ${classes.join(', ')} of a set, not classes`,
    part ? `say ${where}:${part}` : `name one: ${join(where, root, classes[0])}`,
  );
}

/** Python's order of text, as UTF-8 has it too. */
function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
