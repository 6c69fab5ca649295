import type { Image, ImageSize } from './image-set.ts';

/** A resampling kernel: zero where |x| ≥ `support`, x in input pixels (in output pixels when shrinking). */
export interface Filter {
  readonly support: number;
  weight(x: number): number;
}

/** Pillow's `LANCZOS`: a sinc truncated to three lobes by a wider sinc. */
export const lanczos: Filter = {
  support: 3,
  weight: (x) => (-3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0),
};

/**
 * Resizes as `Image.resize(size, filter)` of Pillow 13 does, byte for byte: along the rows and along the columns, each
 * in 22-bit fixed point and rounded to bytes (`src/libImaging/Resample.c`). An axis that keeps its size is left alone;
 * an image that keeps both is returned as it is, not copied.
 *
 * @returns `size.height × size.width × 3` bytes
 */
export function resize(image: Image, size: ImageSize, filter: Filter = lanczos): Uint8Array {
  const across = (from: Image) => resizeRows(from, size.width, filter);
  const down = (from: Image) => resizeColumns(from, size.height, filter);
  return (columnsFirst(image, size) ? across(down(image)) : down(across(image))).pixels;
}

/**
 * Rounding between the passes makes their order visible. Before version 13 Pillow always began with the rows; the two
 * agree on every square image.
 */
function columnsFirst(from: ImageSize, to: ImageSize): boolean {
  const lostRows = from.height - to.height;
  return lostRows > 0 && lostRows > 2 * (from.width - to.width);
}

/** Resizes each of `count` images of one size that lie one after the other. */
export function resizeEach(pixels: Uint8Array, count: number, from: ImageSize, to: ImageSize): Uint8Array {
  if (from.height === to.height && from.width === to.width) return pixels;
  const stride = 3 * from.height * from.width;
  const resized = new Uint8Array(3 * count * to.height * to.width);
  for (let i = 0; i < count; i++) {
    const image = { ...from, pixels: pixels.subarray(i * stride, (i + 1) * stride) };
    resized.set(resize(image, to), 3 * i * to.height * to.width);
  }
  return resized;
}

function resizeRows(image: Image, newWidth: number, filter: Filter): Image {
  const { height, width, pixels } = image;
  if (newWidth === width) return image;
  const { first, count, taps, weights } = coefficients(width, newWidth, filter);
  const out = new Uint8Array(3 * height * newWidth);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < newWidth; x++, to += 3) {
      let red = half;
      let green = half;
      let blue = half;
      let from = 3 * (y * width + first[x]);
      const end = x * taps + count[x];
      for (let k = x * taps; k < end; k++, from += 3) {
        const weight = weights[k];
        red = (red + pixels[from] * weight) | 0;
        green = (green + pixels[from + 1] * weight) | 0;
        blue = (blue + pixels[from + 2] * weight) | 0;
      }
      out[to] = clip(red);
      out[to + 1] = clip(green);
      out[to + 2] = clip(blue);
    }
  }
  return { height, width: newWidth, pixels: out };
}

function resizeColumns(image: Image, newHeight: number, filter: Filter): Image {
  const { height, width, pixels } = image;
  if (newHeight === height) return image;
  const { first, count, taps, weights } = coefficients(height, newHeight, filter);
  const stride = 3 * width;
  const out = new Uint8Array(newHeight * stride);
  const sums = new Int32Array(stride);
  for (let y = 0; y < newHeight; y++) {
    sums.fill(half);
    for (let k = 0; k < count[y]; k++) {
      const weight = weights[y * taps + k];
      const row = (first[y] + k) * stride;
      for (let i = 0; i < stride; i++) sums[i] += pixels[row + i] * weight;
    }
    for (let i = 0; i < stride; i++) out[y * stride + i] = clip(sums[i]);
  }
  return { height: newHeight, width, pixels: out };
}

/** Bits after the point: 32 less 8 for the byte and 2 for sign and overshoot. */
const precision = 22;
const half = 1 << (precision - 1);

/** The byte of a fixed-point sum that already has its half added. */
function clip(sum: number): number {
  const value = sum >> precision;
  return value < 0 ? 0 : Math.min(value, 255);
}

/** For each output pixel: the first input pixel it draws on, how many, and their weights at `taps × output`. */
interface Coefficients {
  readonly first: Int32Array;
  readonly count: Int32Array;
  readonly taps: number;
  readonly weights: Int32Array;
}

function coefficients(inSize: number, outSize: number, filter: Filter): Coefficients {
  if (kept?.inSize === inSize && kept.outSize === outSize && kept.filter === filter) return kept.coefficients;
  const computed = computeCoefficients(inSize, outSize, filter);
  kept = { inSize, outSize, filter, coefficients: computed };
  return computed;
}

/** Images of a set mostly have one size, and most are square: the last coefficients are nearly always the next. */
let kept: { inSize: number; outSize: number; filter: Filter; coefficients: Coefficients } | undefined;

function computeCoefficients(inSize: number, outSize: number, filter: Filter): Coefficients {
  const scale = inSize / outSize;
  const filterScale = Math.max(scale, 1);
  const support = filter.support * filterScale;
  const taps = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outSize);
  const count = new Int32Array(outSize);
  const weights = new Int32Array(outSize * taps);
  const exact = new Float64Array(taps);
  for (let i = 0; i < outSize; i++) {
    const center = (i + 0.5) * scale;
    // C's conversion to int truncates towards zero.
    first[i] = Math.max(0, Math.trunc(center - support + 0.5));
    count[i] = Math.min(inSize, Math.trunc(center + support + 0.5)) - first[i];
    let sum = 0;
    for (let k = 0; k < count[i]; k++) {
      // Pillow multiplies by the reciprocal: dividing would round otherwise.
      exact[k] = filter.weight((k + first[i] - center + 0.5) * (1 / filterScale));
      sum += exact[k];
    }
    for (let k = 0; k < count[i]; k++) {
      const weight = (sum === 0 ? exact[k] : exact[k] / sum) * (1 << precision);
      weights[i * taps + k] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
  }
  return { first, count, taps, weights };
}

function sinc(x: number): number {
  if (x === 0) return 1;
  const angle = x * Math.PI;
  return Math.sin(angle) / angle;
}
