import type { RandomState } from '../../src/common/random.ts';
import type { Image } from '../image-set.ts';

/** The pixels in random order, another for every image: its colours are those of InD, its shapes are gone. */
export function permuted({ pixels }: Image, random: RandomState): Uint8Array {
  const result = new Uint8Array(pixels.length);
  random.permutation(pixels.length / 3).forEach((from, to) => {
    result[3 * to] = pixels[3 * from];
    result[3 * to + 1] = pixels[3 * from + 1];
    result[3 * to + 2] = pixels[3 * from + 2];
  });
  return result;
}
