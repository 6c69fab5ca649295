import { sha256 } from '../src/common/files.ts';
import { RandomState } from '../src/common/random.ts';
import type { ImageSet } from './image-set.ts';

/** Some images of a set, in the order of their numbers. */
export function subset(set: ImageSet, numbers: Uint32Array): ImageSet {
  const { imagePath, storedSize } = set;
  return {
    name: set.name,
    length: numbers.length,
    classes: set.classes,
    leftOut: set.leftOut,
    label: (index) => set.label(numbers[index]),
    imageName: (index) => set.imageName(numbers[index]),
    imagePath: imagePath && ((index) => imagePath(numbers[index])),
    storedSize: storedSize && ((index) => storedSize(numbers[index])),
    fingerprint: async () => sha256(Buffer.from(`${await set.fingerprint()}\n${numbers.join()}`)),
    async read(start, count, geometry) {
      const parts: Promise<Uint8Array>[] = [];
      // Images that follow each other in the set are read together.
      for (let first = start; first < start + count; ) {
        let next = first + 1;
        while (next < start + count && numbers[next] === numbers[next - 1] + 1) next++;
        parts.push(set.read(numbers[first], next - first, geometry));
        first = next;
      }
      return new Uint8Array(Buffer.concat(await Promise.all(parts)));
    },
  };
}

/**
 * The numbers of `count` of `length` images, drawn without regard to anything but the seed and in random order: the
 * first ones of NumPy's `RandomState(seed).permutation(length)`.
 */
export function randomNumbers(length: number, count: number, seed: number): Uint32Array {
  return new RandomState(seed).permutation(length).subarray(0, count);
}
