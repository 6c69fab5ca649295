import type { Image } from '../image-set.ts';

/** The negative: each sample taken from 255. */
export function inverted({ pixels }: Image): Uint8Array {
  return pixels.map((sample) => 255 - sample);
}
