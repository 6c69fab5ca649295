import { sha256 } from '../../src/common/files.ts';
import type { ImageSet } from '../image-set.ts';
import { randomNumbers, subset } from '../subset.ts';
import { type Derivation, derivedSet, parseDerivation } from './derived-set.ts';

/**
 * Of `derivations`: ways in which a camera's images go wrong (focus, exposure, colour, sensor, resolution, compression), not
 * so much that they could not be recognised.
 */
export const probedCorruptions: readonly string[] = [
  'gaussian_blur-3',
  'contrast-2',
  'brightness-3',
  'saturate-3',
  'gaussian_noise-2',
  'pixelate-4',
  'jpeg_compression-1',
];

/** Images at most. Nothing is asked of each corruption but their mean. */
const SAMPLE = 1000;

/**
 * Images of a set, drawn at random, by each of `probedCorruptions`: first all of them by one, then the same images by the
 * next.
 */
export function corruptedSample(source: ImageSet, name: string): ImageSet {
  const count = Math.min(source.length, SAMPLE);
  const drawn = subset(source, randomNumbers(source.length, count, 0).sort());
  // Every corruption asks for it, and a folder answers by looking at all of its files.
  let fingerprint: Promise<string> | undefined;
  const some: ImageSet = { ...drawn, fingerprint: () => (fingerprint ??= drawn.fingerprint()) };
  const sets = probedCorruptions.map((corruption) =>
    derivedSet(some, parseDerivation(`${corruption}:${source.name}`) as Derivation, { name }),
  );
  const setOf = (index: number) => sets[Math.floor(index / count)];
  return {
    name,
    length: sets.length * count,
    label: () => undefined,
    imageName: (index) =>
      `${some.imageName(index % count)} (${probedCorruptions[Math.floor(index / count)]})`,
    async fingerprint() {
      const each = await Promise.all(sets.map((set) => set.fingerprint()));
      return sha256(Buffer.from(each.join('\n')));
    },
    async read(start, wanted, geometry) {
      const parts: Uint8Array[] = [];
      for (let at = start; at < start + wanted; ) {
        const inSet = Math.min(start + wanted - at, count - (at % count));
        parts.push(await setOf(at).read(at % count, inSet, geometry));
        at += inSet;
      }
      return new Uint8Array(Buffer.concat(parts));
    },
  };
}
