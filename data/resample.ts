import { roundHalfEven } from '../src/common/rounding.ts';
import type { Framing, Geometry, Image, ImageSize } from './image-set.ts';
import { coefficients } from './resampling/coefficients.ts';
import type { FilterName } from './resampling/filters.ts';
import { resample } from './resampling/resampling-kernels.ts';

/**
 * Brings an image to a geometry: stretched to exactly its size, or resized in another way and cut or bordered.
 *
 * Resizing is that of Pillow 13, `Image.resize(size, filter)`, byte for byte: along the rows and along the columns, each
 * in 22-bit fixed point and rounded to bytes (`src/libImaging/Resample.c`).
 *
 * @returns `height × width × 3` bytes; those of the image itself, not copied, where nothing has to be done
 *
 * @example
 * ```ts
 * import { readFile } from 'node:fs/promises';
 * import { decodeImage, resize } from 'la-ood';
 *
 * const image = await decodeImage(await readFile('photo.jpg'), 'photo.jpg');
 * const pixels = resize(image, { height: 224, width: 224, filter: 'bicubic' });
 * console.log(pixels.length); // 224 × 224 × 3
 * ```
 */
export function resize(image: Image, to: Geometry): Uint8Array {
  const { filter = 'lanczos' } = to;
  const framing = framingOf(to);
  if (!framing) return stretch(image, to, filter);
  const size = sizeWithin(image, framing);
  return placed({ ...size, pixels: stretch(image, size, filter) }, to, framing);
}

/** Whether images of this size are left as they are. */
export function isOfSize({ height, width }: ImageSize, to: Geometry): boolean {
  return height === to.height && width === to.width && !framingOf(to);
}

/** torchvision's `Resize(shorterSide)` and `CenterCrop`, where the shorter side is given. */
function framingOf({ shorterSide, framing }: Geometry): Framing | undefined {
  if (framing || shorterSide === undefined) return framing;
  const to = { height: shorterSide, width: shorterSide };
  return { fit: 'cover', to, rounding: 'truncate', place: 'middle' };
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
  if (filter === 'nearest') return nearest(image, size);
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

/**
 * Pillow's nearest pixel (`ImagingScaleAffine` in `src/libImaging/Geometry.c`): positions are added up, so that their
 * rounding errors are.
 */
function nearest(image: Image, { height, width }: ImageSize): Uint8Array {
  const positions = (from: number, to: number) => {
    const step = from / to;
    let at = 0.5 * step;
    return Int32Array.from({ length: to }, () => {
      const position = Math.min(Math.trunc(at), from - 1);
      at += step;
      return position;
    });
  };
  const columns = positions(image.width, width);
  const pixels = new Uint8Array(3 * height * width);
  let at = 0;
  for (const row of positions(image.height, height))
    for (const column of columns) {
      const from = 3 * (row * image.width + column);
      pixels[at++] = image.pixels[from];
      pixels[at++] = image.pixels[from + 1];
      pixels[at++] = image.pixels[from + 2];
    }
  return pixels;
}

/** The size that an image gets before it is cut or bordered. */
function sizeWithin({ height, width }: ImageSize, { fit, to, rounding }: Framing): ImageSize {
  if (fit === 'stretch') return to;
  if (rounding === 'truncate') {
    // The side that decides is exactly as long as it should be.
    const byWidth = width * to.height <= height * to.width === (fit === 'cover');
    return byWidth
      ? { height: Math.trunc((to.width * height) / width), width: to.width }
      : { height: to.height, width: Math.trunc((to.height * width) / height) };
  }
  const ratios = [height / to.height, width / to.width];
  const ratio = fit === 'cover' ? Math.min(...ratios) : Math.max(...ratios);
  return { height: roundHalfEven(height / ratio), width: roundHalfEven(width / ratio) };
}

/** The part of an image that is wanted, with a border where it is smaller. */
function placed(image: Image, { height, width }: ImageSize, { place, border }: Framing): Uint8Array {
  if (image.height === height && image.width === width) return image.pixels;
  const [top, left] = [startOf(image.height, height, place), startOf(image.width, width, place)];
  const columns = Math.min(width, image.width);
  const pixels = new Uint8Array(3 * height * width);
  if (border?.some((level) => level > 0)) for (let i = 0; i < pixels.length; i++) pixels[i] = border[i % 3];
  for (let y = Math.max(0, -top); y < height && y + top < image.height; y++) {
    const from = 3 * ((y + top) * image.width + Math.max(0, left));
    pixels.set(image.pixels.subarray(from, from + 3 * columns), 3 * (y * width + Math.max(0, -left)));
  }
  return pixels;
}

/** Where `part` of `whole` begins; below zero where it is larger. */
function startOf(whole: number, part: number, place: Framing['place']): number {
  const spare = whole - part;
  if (place === 'start') return 0;
  if (place === 'middle-floor') return Math.floor(spare / 2);
  return spare < 0 ? -Math.floor(-spare / 2) : roundHalfEven(spare / 2);
}
