import { createInterface } from 'node:readline';
import { DataError } from '../../src/common/errors.ts';
import { allFiles, type ImageFiles } from '../image-files.ts';
import { filesIn } from './folder-tree.ts';
import { Names } from './packed-names.ts';

/** What standard input is called in errors. */
const WHERE = 'standard input';

/**
 * The image files that standard input names, a path a line, as `find` writes them. They may lie anywhere, other than those
 * of a list file: who pipes them in has chosen them.
 */
export async function imagesFromInput(): Promise<ImageFiles> {
  const names = new Names();
  for await (const line of createInterface({ input: process.stdin })) {
    if (line !== '') names.add(line);
  }
  if (names.length === 0) throw new DataError(WHERE, 'names no images', 'pipe in a path a line');
  const tree = filesIn('', names, WHERE);
  return { tree, files: allFiles(tree) };
}
