import { dirname, join } from 'node:path';
import { isImageName } from '../decode.ts';
import type { ImageFiles } from '../image-files.ts';
import { folderTree } from './folder-tree.ts';

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
  const files: number[] = [];
  for (let i = 0; i < tree.names.length; i++) {
    const name = tree.names.at(i);
    if (fits.test(name) && isImageName(name)) files.push(i);
  }
  const order = files.sort((a, b) => (tree.names.at(a) < tree.names.at(b) ? -1 : 1));
  return { tree, files: Uint32Array.from(order) };
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
