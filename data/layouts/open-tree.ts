import { join } from 'node:path';
import { DataError } from '../../src/common/errors.ts';
import { cifar } from '../cifar/cifar-set.ts';
import { type FileTree, subtree, topFolder } from '../files/file-tree.ts';
import { sortFiles } from '../files/sort-files.ts';
import { imageFileSet } from '../image-files.ts';
import { isImageName } from '../image-kind.ts';
import type { ImageSet, LeftOut } from '../image-set.ts';
import { classFolders } from './class-folders-layout.ts';
import { type Layout, otherFiles, type Request } from './layout.ts';
import { lmdb } from './lmdb-layout.ts';
import { mnist } from './mnist-layout.ts';
import { parquet } from './parquet-layout.ts';
import { svhn } from './svhn-layout.ts';
import { tinyImageNetValidation } from './tiny-imagenet-layout.ts';

/** What a folder or an archive is looked at for, before it is one of image files. */
const layouts: readonly Layout[] = [cifar, mnist, svhn, lmdb, parquet, tinyImageNetValidation];

/**
 * Opens the set of images that a folder or an archive is, or the part of it that is asked for.
 *
 * @throws DataError where there are no images, or they are laid out in two ways
 */
export async function openTree(tree: FileTree, request: Request): Promise<ImageSet> {
  const others = otherFiles(tree);
  for (const layout of layouts) {
    const found = await layout(tree, others, request);
    if (!found) continue;
    if (!('files' in found)) return withoutLoose(tree, found);
    const set = imageFileSet(found, request);
    return found.tree === tree ? set : withoutLoose(tree, set);
  }
  const { part, ...whole } = request;
  if (!part) return imageFileSet(classFolders(tree, await sortFiles(tree)), request);
  const inner = subtree(tree, `${part}/`) ?? subtree(tree, `${topFolder(tree)}${part}/`);
  if (!inner) throw new DataError(join(tree.where, part), 'no such file or folder', 'is it unpacked?');
  return openTree(inner, whole);
}

/** Image files beside the arrays or the database that a set is kept in are no part of it. */
function withoutLoose({ names }: FileTree, set: ImageSet): ImageSet {
  const leftOut: LeftOut[] = [];
  for (const file of names.keys())
    if (isImageName(names.at(file))) leftOut.push({ name: names.at(file), kind: 'beside the set' });
  return leftOut.length ? { ...set, leftOut } : set;
}
