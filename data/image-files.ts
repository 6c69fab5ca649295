import { type DecodeOptions, decodeImage } from './decode.ts';
import type { FileTree } from './files/file-tree.ts';
import type { ImageSet } from './image-set.ts';
import { resize } from './resample.ts';

/** Images being decoded at a time: enough to keep libvips' threads busy, few enough to bound the memory. */
const concurrency = 8;

/** Which files of a tree are the images of a set, in which order, and what is known about them. */
export interface ImageFiles {
  readonly tree: FileTree;
  /** The number of each image's file in the tree. */
  readonly files: Uint32Array;
  /** The class of each image, below zero where it has none. */
  readonly labels?: ArrayLike<number>;
  readonly classes?: readonly string[];
}

/** A set of images that are a file each: JPEG, PNG, WebP or GIF, of any size. */
export function imageFileSet(
  images: ImageFiles,
  request: DecodeOptions & { readonly name: string },
): ImageSet {
  const { tree, files, labels, classes } = images;
  const { name, orient } = request;
  return {
    name,
    length: files.length,
    classes,
    label: (index) => (labels && labels[index] >= 0 ? labels[index] : undefined),
    imageName: (index) => tree.names.at(files[index]),
    fingerprint: () => tree.fingerprint(files),
    async read(start, count, size) {
      const stride = 3 * size.height * size.width;
      const pixels = new Uint8Array(count * stride);
      let next = 0;
      const decodeSome = async () => {
        while (next < count) {
          const i = next++;
          const file = files[start + i];
          const image = await decodeImage(await tree.read(file), tree.describe(file), { orient });
          pixels.set(resize(image, size), i * stride);
        }
      };
      await Promise.all(Array.from({ length: Math.min(concurrency, count) }, decodeSome));
      return pixels;
    },
  };
}

/** All files of a tree, in its order. */
export function allFiles(tree: FileTree): Uint32Array {
  return Uint32Array.from({ length: tree.names.length }, (_, i) => i);
}
