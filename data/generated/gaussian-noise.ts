import type { ImageSet } from '../image-set.ts';
import { type DrawnOptions, drawnSet } from './drawn-set.ts';

/**
 * Every sample is normal with the mean and the standard deviation of half and of all of the range 0 … 1, cut off at its
 * ends: the Gaussian noise of ODIN (Liang, Li, Srikant: *Enhancing the reliability of out-of-distribution image
 * detection in neural networks*, ICLR 2018). Some 62 % of the samples are 0 or 255.
 */
export function gaussianNoise(options: DrawnOptions): ImageSet {
  return drawnSet(
    {
      name: 'gaussian_noise',
      stream: 16,
      draw: (random, { height, width }) =>
        // A clamped array rounds, and cuts off at 0 and 255.
        new Uint8Array(
          Uint8ClampedArray.from({ length: 3 * height * width }, () => 255 * (0.5 + random.normal())).buffer,
        ),
    },
    options,
  );
}
