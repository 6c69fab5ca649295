import { dirname, join } from 'node:path';
import type { ImageFiles } from '../image-files.ts';

import { folderTree } from './folder-tree.ts';
import { sortFiles } from './sort-files.ts';

/** Whether a path is a pattern, for those that a shell has not expanded. */
export function isPattern(path: string): boolean {
  return /[*?]/.test(path);
}

/**
 * The images whose paths fit a pattern, in the order of their names: `*` stands for any characters but a slash, `?` for one,
 * `**` for any folders.
 *
 * @returns undefined where the folder that the pattern begins with is not there
 */
export async function imagesFitting(pattern: string): Promise<ImageFiles | undefined> {
  const fixed = pattern.slice(0, pattern.search(/[*?]/));
  const root = dirname(`${fixed}x`);
  const tree = await folderTree(root).catch(() => undefined);
  if (!tree) return undefined;
  const fits = expression(join(pattern).slice(root === '.' ? 0 : join(root, 'x').length - 1));
  const fitting = Array.from(tree.names.keys()).filter((file) => fits.test(tree.names.at(file)));
  const { images, leftOut } = await sortFiles(tree, fitting);
  const order = [...images].sort((a, b) => (tree.names.at(a) < tree.names.at(b) ? -1 : 1));
  return { tree, files: Uint32Array.from(order), leftOut };
}

function expression(pattern: string): RegExp {
  const source = pattern
    .replace(/[\\^$.|+()[\]{}]/g, '\\$&')
    .replace(
      /\*\*\/|\*\*|\*|\?/g,
      (found) => ({ '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*' })[found] ?? '[^/]',
    );
  return new RegExp(`^${source}$`, 'su');
}
