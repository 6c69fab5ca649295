import type { ImageSet } from '../image-set.ts';
import { type DrawnOptions, drawnSet } from './drawn-set.ts';

/** Every sample is uniform over 0 … 255: the uniform noise of ODIN (Liang, Li, Srikant, ICLR 2018). */
export function uniformNoise(options: DrawnOptions): ImageSet {
  return drawnSet(
    {
      name: 'uniform_noise',
      stream: 17,
      draw: (random, { height, width }) =>
        Uint8Array.from({ length: 3 * height * width }, () => random.uint32() >>> 24),
    },
    options,
  );
}
