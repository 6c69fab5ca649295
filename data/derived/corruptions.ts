import type { RandomState } from '../../src/common/random.ts';
import { decodeImage } from '../decode.ts';
import { gaussianFilter } from '../gaussian-filter.ts';
import type { Image } from '../image-set.ts';
import { resize } from '../resample.ts';
import { poissonQuantiles } from './poisson.ts';

/** How much an image is corrupted, 1 being least. */
export type Severity = 1 | 2 | 3 | 4 | 5;

type Corruption = (image: Image, severity: Severity, random: RandomState) => Uint8Array | Promise<Uint8Array>;

/** A parameter at severities 1 … 5. */
type Parameters<T> = readonly [T, T, T, T, T];

/**
 * Eight of the corruptions of Hendrycks and Dietterich (*Benchmarking neural network robustness to common corruptions and
 * perturbations*, ICLR 2019), with the strengths of CIFAR-10-C for images whose shorter side has at most 64 pixels, and
 * those of ImageNet-C for larger ones. Samples are rounded, where the original cuts off their fractions.
 */
export const corruptions: Readonly<Record<string, Corruption>> = {
  /** Normal noise, by its standard deviation as a share of the range. */
  gaussian_noise: byStrength([0.04, 0.06, 0.08, 0.09, 0.1], [0.08, 0.12, 0.18, 0.26, 0.38], withNoise),
  /** Poisson noise, by the photons that make white. */
  shot_noise: byStrength([500, 250, 100, 75, 50], [60, 25, 12, 5, 3], ({ pixels }, photons, random) => {
    const quantile = poissonQuantiles(photons);
    return clamped(pixels, (sample) => (255 * quantile(sample, random.random())) / photons);
  }),
  /** By the standard deviation in pixels. */
  gaussian_blur: byStrength([0.4, 0.6, 0.7, 0.8, 1], [1, 2, 3, 4, 6], blurred),
  /** Towards each colour's mean, by the share of the contrast that stays. */
  contrast: byStrength([0.75, 0.5, 0.4, 0.3, 0.15], [0.4, 0.3, 0.2, 0.1, 0.05], withContrast),
  /** Adds a share of the range to the value of each pixel (its largest sample); hue and saturation stay. */
  brightness: byStrength([0.05, 0.1, 0.15, 0.2, 0.3], [0.1, 0.2, 0.3, 0.4, 0.5], ({ pixels }, share) => {
    const largest = (i: number) => Math.max(pixels[i], pixels[i + 1], pixels[i + 2]);
    return clamped(pixels, (sample, i) => {
      const value = largest(i - (i % 3));
      const brighter = Math.min(255, value + 255 * share);
      return value === 0 ? brighter : (sample * brighter) / value;
    });
  }),
  /**
   * Times a factor, and a share of the range more, of the saturation of each pixel; its hue and its value stay. The first
   * two take colour away, the others add some. What is grey is taken for red.
   */
  saturate: byStrength(
    [
      [0.3, 0],
      [0.1, 0],
      [1.5, 0],
      [2, 0.1],
      [2.5, 0.2],
    ],
    [
      [0.3, 0],
      [0.1, 0],
      [2, 0],
      [5, 0.1],
      [20, 0.2],
    ],
    ({ pixels }, [factor, more]) =>
      clamped(pixels, (sample, i) => {
        const red = i - (i % 3);
        const value = Math.max(pixels[red], pixels[red + 1], pixels[red + 2]);
        const range = value - Math.min(pixels[red], pixels[red + 1], pixels[red + 2]);
        if (range === 0) return i % 3 === 0 ? value : value * (1 - more);
        // Saturation is range / value.
        const scale = Math.min(value / range, factor + (more * value) / range);
        return value - scale * (value - sample) + LAST_BITS;
      }),
  ),
  /** Shrunk to a share of its size and enlarged again, with boxes. */
  pixelate: byStrength([0.95, 0.9, 0.85, 0.75, 0.65], [0.6, 0.5, 0.4, 0.3, 0.25], pixelated),
  /** Saved as JPEG, by its quality, with colours at half the resolution. */
  jpeg_compression: byStrength([80, 65, 58, 50, 40], [25, 18, 15, 10, 7], savedAsJpeg),
};

/** Normal noise. @param deviation as a share of the range */
export function withNoise({ pixels }: Image, deviation: number, random: RandomState): Uint8Array {
  return clamped(pixels, (sample) => sample + 255 * deviation * random.normal());
}

/** @param sigma in pixels */
export function blurred({ pixels, height, width }: Image, sigma: number): Uint8Array {
  const values = Float64Array.from(pixels);
  gaussianFilter(values, [height, width, 3], sigma, [0, 1]);
  return clamped(values, (value) => value);
}

/** Towards each colour's mean. @param share of the contrast that stays */
export function withContrast({ pixels }: Image, share: number): Uint8Array {
  const means = [0, 0, 0];
  for (let i = 0; i < pixels.length; i++) means[i % 3] += (3 * pixels[i]) / pixels.length;
  return clamped(pixels, (sample, i) => means[i % 3] + (sample - means[i % 3]) * share);
}

/** Every sample brighter or darker. @param more of the range, a share of it */
export function withBrightness({ pixels }: Image, more: number): Uint8Array {
  return clamped(pixels, (sample) => sample + 255 * more);
}

/** Towards the grey of the same luma (ITU-R BT.601). @param share of the colour that stays */
export function withSaturation({ pixels }: Image, share: number): Uint8Array {
  const luma = (red: number) => 0.299 * pixels[red] + 0.587 * pixels[red + 1] + 0.114 * pixels[red + 2];
  return clamped(pixels, (sample, i) => {
    const gray = luma(i - (i % 3));
    return gray + share * (sample - gray);
  });
}

/** Shrunk and enlarged again, with boxes. @param share of its size */
export function pixelated(image: Image, share: number): Uint8Array {
  const small = {
    height: Math.max(1, Math.trunc(image.height * share)),
    width: Math.max(1, Math.trunc(image.width * share)),
  };
  const pixels = resize(image, { ...small, filter: 'box' });
  return resize({ ...small, pixels }, { height: image.height, width: image.width, filter: 'box' });
}

/** Saved as JPEG, with colours at half the resolution, and read again. */
export async function savedAsJpeg(image: Image, quality: number): Promise<Uint8Array> {
  const { height, width, pixels } = image;
  const { default: sharp } = await import('sharp');
  const file = await sharp(pixels, { raw: { height, width, channels: 3 } })
    .jpeg({ quality, chromaSubsampling: '4:2:0' })
    .toBuffer();
  return (await decodeImage(file, 'a corrupted image')).pixels;
}

const LARGEST_SMALL = 64;

/** What is a half but for its last bits is rounded as one. */
const LAST_BITS = 1e-9;

function byStrength<T>(
  small: Parameters<T>,
  large: Parameters<T>,
  corrupt: (image: Image, strength: T, random: RandomState) => Uint8Array | Promise<Uint8Array>,
): Corruption {
  return (image, severity, random) => {
    const strengths = Math.min(image.height, image.width) <= LARGEST_SMALL ? small : large;
    return corrupt(image, strengths[severity - 1], random);
  };
}

/** New samples, rounded, and cut off at 0 and 255. */
export function clamped(
  samples: Uint8Array | Float64Array,
  change: (sample: number, index: number) => number,
): Uint8Array {
  const result = new Uint8Array(samples.length);
  for (let i = 0; i < samples.length; i++)
    result[i] = Math.min(255, Math.max(0, Math.round(change(samples[i], i))));
  return result;
}
