import { sha256 } from '../../src/common/files.ts';
import type { ImageSet } from '../image-set.ts';
import { randomNumbers, subset } from '../subset.ts';
import { type Derivation, derivedSet, parseDerivation } from './derived-set.ts';

/**
 * What pseudo outliers are changed by (see `derivations`): four ways in which a camera's images go wrong, not so much that
 * they could not be recognised.
 */
export const pseudoOutlierKinds: readonly string[] = [
  'gaussian_blur-3',
  'contrast-2',
  'brightness-3',
  'gaussian_noise-2',
];

/** Images of each kind, at most. Nothing is asked of them but their mean. */
const PER_KIND = 1000;

/**
 * Pseudo outliers: images of an InD set, drawn at random, changed in each of the ways of `pseudoOutlierKinds`. First all of
 * one kind, then the same images in the next.
 */
export function pseudoOutliers(source: ImageSet, name: string): ImageSet {
  const count = Math.min(source.length, PER_KIND);
  const drawn = subset(source, randomNumbers(source.length, count, 0).sort());
  // Every kind asks for it, and a folder answers by looking at all of its files.
  let fingerprint: Promise<string> | undefined;
  const some: ImageSet = { ...drawn, fingerprint: () => (fingerprint ??= drawn.fingerprint()) };
  const kinds = pseudoOutlierKinds.map((kind) =>
    derivedSet(some, parseDerivation(`${kind}:${source.name}`) as Derivation, { name }),
  );
  const kindOf = (index: number) => kinds[Math.floor(index / count)];
  return {
    name,
    length: kinds.length * count,
    label: () => undefined,
    imageName: (index) =>
      `${some.imageName(index % count)} (${pseudoOutlierKinds[Math.floor(index / count)]})`,
    async fingerprint() {
      const each = await Promise.all(kinds.map((kind) => kind.fingerprint()));
      return sha256(Buffer.from(each.join('\n')));
    },
    async read(start, wanted, geometry) {
      const parts: Uint8Array[] = [];
      for (let at = start; at < start + wanted; ) {
        const inKind = Math.min(start + wanted - at, count - (at % count));
        parts.push(await kindOf(at).read(at % count, inKind, geometry));
        at += inKind;
      }
      return new Uint8Array(Buffer.concat(parts));
    },
  };
}
