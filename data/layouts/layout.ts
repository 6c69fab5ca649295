import { type FileTree, topFolder } from '../files/file-tree.ts';
import type { ImageFiles } from '../image-files.ts';
import { isImageName } from '../image-kind.ts';
import type { ImageSet, Part } from '../image-set.ts';

/** What was asked for when a set was opened. */
export interface Request {
  /** The name that the set shall have. */
  readonly name: string;
  /** The part, where one was typed. */
  readonly part?: Part;
  /** Turns images as their EXIF orientation says. */
  readonly orient?: boolean;
}

/**
 * A way in which a published set lays out its files.
 *
 * @param others the files of the tree that are not named like images, by their path below the folder that all are in
 * @returns undefined where the files are laid out otherwise
 * @throws DataError where they are laid out so, and something is missing or damaged
 */
export type Layout = (
  tree: FileTree,
  others: ReadonlyMap<string, number>,
  request: Request,
) => Promise<ImageSet | ImageFiles | undefined>;

/** The files of a tree that a layout is known by. */
export function otherFiles(tree: FileTree): Map<string, number> {
  const top = topFolder(tree);
  const found = new Map<string, number>();
  for (let i = 0; i < tree.names.length; i++) {
    const name = tree.names.at(i);
    if (!isImageName(name)) found.set(name.slice(top.length), i);
  }
  return found;
}
