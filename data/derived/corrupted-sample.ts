import { sha256 } from '../../src/common/files.ts';
import type { ImageSet, ImageSize } from '../image-set.ts';
import { randomNumbers, subset } from '../subset.ts';
import { conditionsOf, unchanged } from './conditions.ts';
import { derivedSet } from './derived-set.ts';

/** Images where nothing else is asked for. Nothing is asked of each change but a mean. */
export const SAMPLE_SIZE = 200;

/** What the images of a sample are changed by, in its order: first not at all. */
export function sampleChanges(size: ImageSize): string[] {
  return ['none', ...conditionsOf(size).map(({ name }) => name)];
}

/**
 * Images of a set, drawn at random: first as they are, then the same ones changed by each of the conditions.
 *
 * @param size that they will be read in
 */
export function corruptedSample(
  source: ImageSet,
  name: string,
  size: ImageSize,
  images = SAMPLE_SIZE,
): ImageSet {
  const count = Math.min(source.length, images);
  const drawn = subset(source, randomNumbers(source.length, count, 0).sort());
  // Every change asks for it, and a folder answers by looking at all of its files.
  let fingerprint: Promise<string> | undefined;
  const some: ImageSet = { ...drawn, fingerprint: () => (fingerprint ??= drawn.fingerprint()) };
  const names = sampleChanges(size);
  const changes = [unchanged, ...conditionsOf(size).map(({ change }) => change)];
  const sets = changes.map((change, c) =>
    derivedSet(some, { by: names[c], change, source: source.name }, { name }),
  );
  const setOf = (index: number) => sets[Math.floor(index / count)];
  return {
    name,
    length: sets.length * count,
    label: () => undefined,
    imageName: (index) => `${some.imageName(index % count)} (${names[Math.floor(index / count)]})`,
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
