import type { Geometry, Image, ImageSize } from './image-set.ts';
import { coefficients } from './resampling/coefficients.ts';
import type { FilterName } from './resampling/filters.ts';
import { resample } from './resampling/kernels.ts';

/**
 * Brings an image to a geometry: stretched to exactly its size, or resized by its shorter side and cropped.
 *
 * Resizing is that of Pillow 13, `Image.resize(size, filter)`, byte for byte: along the rows and along the columns, each
 * in 22-bit fixed point and rounded to bytes (`src/libImaging/Resample.c`). Cropping is torchvision's.
 *
 * @returns `height × width × 3` bytes; those of the image itself, not copied, where nothing has to be done
 */
export function resize(image: Image, to: Geometry): Uint8Array {
  const { shorterSide, filter = 'lanczos' } = to;
  if (shorterSide === undefined) return stretch(image, to, filter);
  const size = byShorterSide(image, shorterSide);
  return centerCrop({ ...size, pixels: stretch(image, size, filter) }, to);
}

/** Whether images of this size are left as they are. */
export function isOfSize({ height, width }: ImageSize, to: Geometry): boolean {
  return height === to.height && width === to.width && to.shorterSide === undefined;
}

/** Brings each of `count` images of one size, which lie one after the other, to a geometry. */
export function resizeEach(pixels: Uint8Array, count: number, from: ImageSize, to: Geometry): Uint8Array {
  if (isOfSize(from, to)) return pixels;
  const { height, width } = from;
  const stride = 3 * height * width;
  const resized = new Uint8Array(3 * count * to.height * to.width);
  for (let i = 0; i < count; i++) {
    const image = { height, width, pixels: pixels.subarray(i * stride, (i + 1) * stride) };
    resized.set(resize(image, to), 3 * i * to.height * to.width);
  }
  return resized;
}

function stretch(image: Image, size: ImageSize, filter: FilterName): Uint8Array {
  const axis = (from: number, to: number) => (from === to ? undefined : coefficients(from, to, filter));
  const width = axis(image.width, size.width);
  const height = axis(image.height, size.height);
  if (!width && !height) return image.pixels;
  return resample(image, { width, height, columnsFirst: columnsFirst(image, size) });
}

/**
 * Rounding between the passes makes their order visible. Before version 13 Pillow always began with the rows; the two
 * agree on every square image.
 */
function columnsFirst(from: ImageSize, to: ImageSize): boolean {
  const lostRows = from.height - to.height;
  return lostRows > 0 && lostRows > 2 * (from.width - to.width);
}

/** The size that torchvision's `Resize(side)` gives: the longer side is rounded down. */
function byShorterSide({ height, width }: ImageSize, side: number): ImageSize {
  return width <= height
    ? { height: Math.trunc((side * height) / width), width: side }
    : { height: side, width: Math.trunc((side * width) / height) };
}

/** torchvision's `CenterCrop`: an image that is smaller gets a black border. */
function centerCrop(image: Image, { height, width }: ImageSize): Uint8Array {
  if (image.height === height && image.width === width) return image.pixels;
  const top = cropStart(image.height, height);
  const left = cropStart(image.width, width);
  const columns = Math.min(width, image.width);
  const cropped = new Uint8Array(3 * height * width);
  for (let y = Math.max(0, -top); y < height && y + top < image.height; y++) {
    const from = 3 * ((y + top) * image.width + Math.max(0, left));
    cropped.set(image.pixels.subarray(from, from + 3 * columns), 3 * (y * width + Math.max(0, -left)));
  }
  return cropped;
}

/** Where the middle `part` of `whole` begins; below zero where it is larger. Python rounds a half to the even number. */
function cropStart(whole: number, part: number): number {
  const spare = whole - part;
  if (spare < 0) return -Math.floor(-spare / 2);
  return spare % 4 === 3 ? (spare + 1) / 2 : Math.floor(spare / 2);
}
