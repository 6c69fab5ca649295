import type { ImageSize } from '../image-set.ts';
import type { PixelLayout } from '../raw-images.ts';

const HEIGHT = 32;
const WIDTH = 32;

/** How every image of CIFAR is stored: a red, a green and a blue plane. */
export const cifarImages: ImageSize & { readonly layout: PixelLayout } = {
  height: HEIGHT,
  width: WIDTH,
  layout: { row: WIDTH, column: 1, color: HEIGHT * WIDTH },
};

/** Bytes of an image. */
export const IMAGE_BYTES = 3 * HEIGHT * WIDTH;
