import type { Image, ImageSize } from '../image-set.ts';
import {
  blurred,
  savedAsJpeg,
  withBrightness,
  withContrast,
  withNoise,
  withSaturation,
} from './corruptions.ts';
import type { Change } from './derived-set.ts';

const STRONG_BLUR = 'blur 2 px';

/** A way in which images are taken or processed otherwise than those that a classifier was trained on. */
export interface Condition {
  /** What is done to an image, and how much of it. */
  readonly name: string;
  /** What an image is by it, beside its training images, and what by its opposite. */
  readonly more: string;
  readonly less: string;
  readonly change: Change;
}

/**
 * What happens to a camera's images: sensor, focus, compression, exposure, colour; not so much that they could not be
 * recognised. The strengths serve from 32 to 224 pixels; strong blur is another direction than slight blur on large images.
 */
const conditions: readonly Condition[] = [
  {
    name: 'noise .06',
    more: 'noisier',
    less: 'less noisy',
    change: (image, random) => withNoise(image, 0.06, random),
  },
  { name: 'blur 1 px', more: 'blurrier', less: 'sharper', change: (image) => blurred(image, 1) },
  { name: STRONG_BLUR, more: 'blurrier', less: 'sharper', change: (image) => blurred(image, 2) },
  {
    name: 'JPEG 30',
    more: 'compressed more',
    less: 'compressed less',
    change: (image) => savedAsJpeg(image, 30),
  },
  {
    name: 'contrast × .6',
    more: 'of less contrast',
    less: 'of more contrast',
    change: (image) => withContrast(image, 0.6),
  },
  {
    name: 'brightness + .15',
    more: 'brighter',
    less: 'darker',
    change: (image) => withBrightness(image, 0.15),
  },
  {
    name: 'brightness − .15',
    more: 'darker',
    less: 'brighter',
    change: (image) => withBrightness(image, -0.15),
  },
  {
    name: 'saturation × .5',
    more: 'less colourful',
    less: 'more colourful',
    change: (image) => withSaturation(image, 0.5),
  },
];

/** Strong blur is a direction of its own on images whose shorter side is longer. */
const LARGEST_SMALL = 64;

/** The conditions that images of a size are changed by. */
export function conditionsOf({ height, width }: ImageSize): readonly Condition[] {
  return Math.min(height, width) > LARGEST_SMALL
    ? conditions
    : conditions.filter(({ name }) => name !== STRONG_BLUR);
}

/** All that a condition can be called. */
export const conditionNames: readonly string[] = [
  ...new Set(conditions.flatMap(({ more, less }) => [more, less])),
];

/** Images as they are, beside which the changed ones are seen. */
export const unchanged: Change = ({ pixels }: Image) => pixels;
