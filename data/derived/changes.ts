import type { RandomState } from '../../src/common/random.ts';
import type { Image } from '../image-set.ts';
import {
  blurred,
  clamped,
  pixelated,
  savedAsJpeg,
  withBrightness,
  withContrast,
  withNoise,
  withSaturation,
} from './corruptions.ts';

/** A way to change images, by a strength that is said. */
export interface StrengthChange {
  /** The least and the greatest strength that there is. */
  readonly from: number;
  readonly to: number;
  apply(image: Image, strength: number, random: RandomState): Uint8Array | Promise<Uint8Array>;
}

/** Changes of images at any strength, where `corruptions` have five: `contrast@.3`, `blur@1.2`. */
export const changes: Readonly<Record<string, StrengthChange>> = {
  /** Normal noise, by its standard deviation as a share of the range. */
  noise: { from: 0, to: 10, apply: withNoise },
  /** By the standard deviation in pixels. */
  blur: { from: 0.01, to: 1000, apply: blurred },
  /** By the quality that it is saved with. */
  jpeg: { from: 1, to: 100, apply: (image, quality) => savedAsJpeg(image, Math.round(quality)) },
  /** Towards each colour's mean, by the share of the contrast that stays. */
  contrast: { from: 0, to: 100, apply: withContrast },
  /** By the share of the range that is added to every sample. */
  brightness: { from: -1, to: 1, apply: withBrightness },
  /** By the share of the colour that stays. */
  saturation: { from: 0, to: 100, apply: withSaturation },
  /** By the share of grey or white in a mixture with it. */
  'fade-grey': { from: 0, to: 1, apply: (image, share) => fadedTo(image, share, 128) },
  'fade-white': { from: 0, to: 1, apply: (image, share) => fadedTo(image, share, 255) },
  /** By how much of what a blur of one pixel takes away is added. */
  sharpen: {
    from: 0,
    to: 100,
    apply(image, amount) {
      const soft = blurred(image, 1);
      return clamped(image.pixels, (sample, i) => sample + amount * (sample - soft[i]));
    },
  },
  /** Samples as shares of the range, to this power. */
  gamma: {
    from: 0.01,
    to: 100,
    apply: ({ pixels }, power) => clamped(pixels, (sample) => 255 * (sample / 255) ** power),
  },
  /** Red times one more by this share, blue times one less. */
  cast: {
    from: -1,
    to: 1,
    apply: ({ pixels }, share) => clamped(pixels, (sample, i) => sample * (1 + share * (1 - (i % 3)))),
  },
  /** Colours turned about the axis of greys, by a share of the circle. */
  hue: { from: -1, to: 1, apply: withHue },
  /** By the bits of each sample that stay. */
  posterize: {
    from: 1,
    to: 8,
    apply: ({ pixels }, bits) => pixels.map((sample) => sample & (256 - 2 ** (8 - Math.round(bits)))),
  },
  /** A grey square somewhere in the image, by its share of the shorter side. */
  cutout: { from: 0, to: 1, apply: withCutout },
  /** Shrunk to a share of its size and enlarged again, with boxes. */
  pixelate: { from: 0.01, to: 1, apply: pixelated },
};

function fadedTo({ pixels }: Image, share: number, level: number): Uint8Array {
  return clamped(pixels, (sample) => sample + share * (level - sample));
}

function withHue({ pixels }: Image, share: number): Uint8Array {
  const [cos, sin] = [Math.cos(2 * Math.PI * share), Math.sin(2 * Math.PI * share)];
  return clamped(pixels, (sample, i) => {
    const red = i - (i % 3);
    const gray = (pixels[red] + pixels[red + 1] + pixels[red + 2]) / 3;
    // Rodrigues' rotation about (1, 1, 1) / √3.
    const [next, last] = [pixels[red + ((i + 1) % 3)], pixels[red + ((i + 2) % 3)]];
    return gray + cos * (sample - gray) + (sin * (last - next)) / Math.sqrt(3);
  });
}

function withCutout({ pixels, height, width }: Image, share: number, random: RandomState): Uint8Array {
  const side = Math.trunc(share * Math.min(height, width));
  const [top, left] = [random.integer(height - side), random.integer(width - side)];
  return pixels.map((sample, i) => {
    const [row, column] = [Math.floor(i / (3 * width)), Math.floor(i / 3) % width];
    const isWithin = row >= top && row < top + side && column >= left && column < left + side;
    return isWithin ? 128 : sample;
  });
}
