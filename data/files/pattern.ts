import { dirname, join } from 'node:path';
import { wildcards } from '../../src/common/wildcards.ts';
import type { ImageFiles } from '../image-files.ts';
import { folderTree } from './folder-tree.ts';
import { sortFiles } from './sort-files.ts';

/**
 * The images whose paths fit a pattern that a shell has not expanded, in the order of their names: `*` stands for any
 * characters but a slash, `?` for one, `**` for any folders.
 *
 * @returns undefined where the folder that the pattern begins with is not there
 */
export async function imagesFitting(pattern: string): Promise<ImageFiles | undefined> {
  const fixed = pattern.slice(0, pattern.search(/[*?]/));
  const root = dirname(`${fixed}x`);
  const tree = await folderTree(root).catch(() => undefined);
  if (!tree) return undefined;
  const own = join(pattern).slice(root === '.' ? 0 : join(root, 'x').length - 1);
  const fits = wildcards(own, 'paths');
  const fitting = Array.from(tree.names.keys()).filter((file) => fits.test(tree.names.at(file)));
  const { images, leftOut } = await sortFiles(tree, fitting);
  const order = [...images].sort((a, b) => (tree.names.at(a) < tree.names.at(b) ? -1 : 1));
  return { tree, files: Uint32Array.from(order), leftOut };
}
