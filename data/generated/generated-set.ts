import type { ImageSet } from '../image-set.ts';
import { blobs } from './blobs.ts';
import type { DrawnOptions } from './drawn-set.ts';
import { gaussianNoise } from './gaussian-noise.ts';
import { pureColor } from './pure-color.ts';
import { uniformNoise } from './uniform-noise.ts';

/** How a generated set is drawn. */
export interface GeneratedOptions extends DrawnOptions {
  /** `original` follows the original implementation, which generates `pure_color` alone. */
  readonly compat?: 'original';
}

const kinds: Readonly<Record<string, (options: GeneratedOptions) => ImageSet>> = {
  pure_color: pureColor,
  gaussian_noise: gaussianNoise,
  uniform_noise: uniformNoise,
  blobs,
};

/** Names of the sets that are drawn. */
export const generatedNames: readonly string[] = Object.keys(kinds);

/** A set that is drawn from a seed; undefined where there is none of that name. */
export function generatedSet(name: string, options: GeneratedOptions = {}): ImageSet | undefined {
  return Object.hasOwn(kinds, name) ? kinds[name](options) : undefined;
}
