import type { ImageSize } from '../image-set.ts';
import type { PixelLayout } from '../raw-images.ts';

const height = 32;
const width = 32;

/** How every image of CIFAR is stored: a red, a green and a blue plane. */
export const cifarImages: ImageSize & { readonly layout: PixelLayout } = {
  height,
  width,
  layout: { row: width, column: 1, color: height * width },
};

/** Bytes of an image. */
export const imageBytes = 3 * height * width;
