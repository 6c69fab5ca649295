import { createHash } from 'node:crypto';
import { DataError } from '../../src/common/errors.ts';
import type { RandomState } from '../../src/common/random.ts';
import { imageRandom } from '../image-random.ts';
import type { Image, ImageSet } from '../image-set.ts';
import { changes } from './changes.ts';
import { corruptions, type Severity } from './corruptions.ts';
import { inverted } from './inverted.ts';
import { permuted } from './permuted.ts';

/** Makes an image of another, of the same size. @returns `height × width × 3` bytes */
export type Change = (image: Image, random: RandomState) => Uint8Array | Promise<Uint8Array>;

/** Ways to derive a set that know no severity. */
const plain: Readonly<Record<string, Change>> = { permuted, inverted };
const corruptionNames = Object.keys(corruptions);

/** What a set can be derived by: `inverted`, `contrast-1` … `contrast-5`, `contrast@` and a strength. */
export const derivations: readonly string[] = [
  ...Object.keys(plain),
  ...Object.keys(changes).map((name) => `${name}@`),
  ...corruptionNames.flatMap((name) => [1, 2, 3, 4, 5].map((severity) => `${name}-${severity}`)),
];

/** How a set comes from another. */
export interface Derivation {
  /** One of `derivations`. */
  readonly by: string;
  readonly change: Change;
  /** What the other set was called. */
  readonly source: string;
}

/**
 * Reads `inverted:SET`, `contrast-3:SET`, `contrast@.3:SET` and the like.
 *
 * @returns undefined where the text begins otherwise
 * @throws DataError where a corruption is named without a severity 1 … 5, or a change at a strength that there is not
 */
export function parseDerivation(spec: string): Derivation | undefined {
  const byStrength = parseStrength(spec);
  if (byStrength) return byStrength;
  const [, by, name, severity, source] = /^(([a-z_]+)(?:-(\d+))?):(.+)$/s.exec(spec) ?? [];
  if (severity === undefined && Object.hasOwn(plain, name ?? '')) return { by, change: plain[name], source };
  if (!Object.hasOwn(corruptions, name ?? '')) return undefined;
  if (!/^[1-5]$/.test(severity ?? ''))
    throw new DataError(
      spec,
      severity === undefined ? 'lacks a severity' : `has no severity ${severity}`,
      `say ${name}-1:${source} to ${name}-5:${source}`,
    );
  const corrupt = corruptions[name];
  return { by, source, change: (image, random) => corrupt(image, Number(severity) as Severity, random) };
}

/** Reads `contrast@.3:SET`. */
function parseStrength(spec: string): Derivation | undefined {
  const [, by, name, typed, source] = /^(([a-z-]+)@([^:]*)):(.+)$/s.exec(spec) ?? [];
  if (!Object.hasOwn(changes, name ?? '')) return undefined;
  const { from, to, apply } = changes[name];
  const strength = typed === '' ? Number.NaN : Number(typed);
  if (!(strength >= from && strength <= to))
    throw new DataError(
      spec,
      `has no strength ${typed}`,
      `say a number from ${from} to ${to} behind ${name}@`,
    );
  return { by, source, change: (image, random) => apply(image, strength, random) };
}

/**
 * Every image of a set, changed when it has the size that it is read in. Classes are those of the source: a classifier
 * may be right on a corrupted image.
 *
 * @param options the set's name, and the seed of what is random (0 if not given)
 */
export function derivedSet(
  source: ImageSet,
  { by, change }: Derivation,
  options: { readonly name?: string; readonly seed?: number } = {},
): ImageSet {
  const { name = `${by}_${source.name}`, seed = 0 } = options;
  const changed = (image: Image, index: number) => change(image, imageRandom(seed, STREAM, index));
  return {
    name,
    length: source.length,
    classes: source.classes,
    leftOut: source.leftOut,
    label: (index) => source.label(index),
    imageName: (index) => source.imageName(index),
    storedSize: source.storedSize,
    async fingerprint() {
      // The code that changes images is part of what they are.
      const sample = await changed(ramp(), 0);
      const hash = createHash('sha256').update(`${by} seed ${seed} of ${await source.fingerprint()}`);
      return hash.update(sample).digest('hex');
    },
    async read(start, count, geometry) {
      const pixels = await source.read(start, count, geometry);
      const { height, width } = geometry;
      const stride = 3 * height * width;
      const result = new Uint8Array(pixels.length);
      for (let i = 0; i < count; i++) {
        const image = { height, width, pixels: pixels.subarray(i * stride, (i + 1) * stride) };
        result.set(await changed(image, start + i), i * stride);
      }
      return result;
    },
  };
}

/** Sets the random numbers apart from those of the sets that are drawn. */
const STREAM = 32;

/** An image in which much happens. */
function ramp(): Image {
  const side = 32;
  return {
    height: side,
    width: side,
    pixels: Uint8Array.from({ length: 3 * side * side }, (_, i) => (i * i) >> 4),
  };
}
