import { type DecodeOptions, imageSize } from './decode.ts';
import { decodeEach } from './decode-each.ts';
import type { FileTree } from './files/file-tree.ts';
import type { ImageSet, LeftOut } from './image-set.ts';

/** Which files of a tree are the images of a set, in which order, and what is known about them. */
export interface ImageFiles {
  readonly tree: FileTree;
  /** The number of each image's file in the tree. */
  readonly files: Uint32Array;
  /** The class of each image, below zero where it has none. */
  readonly labels?: ArrayLike<number>;
  readonly classes?: readonly string[];
  readonly leftOut?: readonly LeftOut[];
}

/** A set of images that are a file each: of any kind that is read and of any size. */
export function imageFileSet(
  images: ImageFiles,
  request: DecodeOptions & { readonly name: string },
): ImageSet {
  const { tree, files, labels, classes, leftOut } = images;
  const { name, orient } = request;
  return {
    name,
    length: files.length,
    classes,
    ...(leftOut?.length && { leftOut }),
    label: (index) => (labels && labels[index] >= 0 ? labels[index] : undefined),
    imageName: (index) => tree.names.at(files[index]),
    imagePath: (index) => tree.path?.(files[index]),
    storedSize: async (index) => imageSize(await tree.read(files[index]), tree.describe(files[index])),
    fingerprint: () => tree.fingerprint(files),
    async read(start, count, geometry) {
      const encoded = Array.from(files.subarray(start, start + count), async (file) => ({
        where: tree.describe(file),
        // What is a file on disk is read by the thread that decodes it.
        bytes: tree.path?.(file) === undefined ? await tree.read(file) : undefined,
      }));
      return decodeEach(await Promise.all(encoded), geometry, { orient });
    },
  };
}

/** All files of a tree, in its order. */
export function allFiles(tree: FileTree): Uint32Array {
  return Uint32Array.from({ length: tree.names.length }, (_, i) => i);
}
