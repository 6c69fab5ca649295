import { basename } from 'node:path';
import { DataError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import type { FileTree } from '../files/file-tree.ts';
import { sortFiles } from '../files/sort-files.ts';
import { classFolders } from './class-folders-layout.ts';
import type { Layout } from './layout.ts';

const ANNOTATIONS = 'val_annotations.txt';

/**
 * The validation images of tiny-imagenet-200, which lie in one folder, with their classes in `val_annotations.txt`.
 * Classes are in sorted order, as `train` has them, where they are folders. (`train` and `test` need no layout of their
 * own.)
 */
export const tinyImageNetValidation: Layout = async (tree, others) => {
  const file = others.get(ANNOTATIONS);
  if (file === undefined) return undefined;
  const sorted = await sortFiles(tree);
  const leftOut = sorted.leftOut.filter(({ name }) => name !== tree.names.at(file));
  const images = classFolders(tree, { ...sorted, leftOut });
  const classOf = await readAnnotations(tree, file);
  const names = Array.from(images.files, (image) => tree.names.at(image));
  const missing = names.find((name) => !classOf.has(basename(name)));
  if (missing !== undefined)
    throw new DataError(
      tree.describe(file),
      `has no line for ${printable(missing)}`,
      'download the set again',
    );
  const classes = [...new Set(classOf.values())].sort();
  const number = new Map(classes.map((name, label) => [name, label]));
  const labels = Uint32Array.from(names, (name) => number.get(classOf.get(basename(name))!)!);
  return { ...images, labels, classes };
};

/** Lines of a file name, a class and a box, between tabs. */
async function readAnnotations(tree: FileTree, file: number): Promise<Map<string, string>> {
  const text = Buffer.from(await tree.read(file)).toString('utf8');
  const classOf = new Map<string, string>();
  text.split('\n').forEach((line, i) => {
    if (!line.trim()) return;
    const [name, wnid] = line.split('\t');
    if (!wnid)
      throw new DataError(
        tree.describe(file),
        `line ${i + 1} has no class behind a tab`,
        'download the set again',
      );
    classOf.set(name, wnid);
  });
  return classOf;
}
