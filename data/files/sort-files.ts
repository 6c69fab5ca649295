import { DataError } from '../../src/common/errors.ts';
import { imageKind, isImageName, unreadKind } from '../image-kind.ts';
import type { LeftOut } from '../image-set.ts';
import type { FileTree } from './file-tree.ts';

/** The files of a tree, by whether they are read as images. */
export interface SortedFiles {
  /** Numbers of those that are named like images, or have no such name and are images by their first bytes. */
  readonly images: readonly number[];
  readonly leftOut: readonly LeftOut[];
}

/** Sorts files, all of a tree if not given. Only those that are not named like images are looked into. */
export async function sortFiles(
  tree: FileTree,
  files: Iterable<number> = tree.names.keys(),
): Promise<SortedFiles> {
  const images: number[] = [];
  const leftOut: LeftOut[] = [];
  for (const file of files) {
    const name = tree.names.at(file);
    const kind = isImageName(name) ? undefined : await kindUnlessImage(tree, file);
    if (kind === undefined) images.push(file);
    else leftOut.push({ name, kind });
  }
  return { images, leftOut };
}

async function kindUnlessImage(tree: FileTree, file: number): Promise<string | undefined> {
  try {
    const head = await tree.head(file);
    return imageKind(head) ? undefined : unreadKind(head);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return error.problem;
  }
}
