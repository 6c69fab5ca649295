import { DataError } from '../src/common/errors.ts';
import { sha256 } from '../src/common/files.ts';
import type { OnProgress } from '../src/common/progress.ts';
import type { ImageSet } from './image-set.ts';

/** Images that are tried at a time. */
const step = 64;

/** A set, and what was left out of it. */
export interface Undamaged {
  readonly images: ImageSet;
  /** Names of the images that cannot be decoded. */
  readonly skipped: readonly string[];
}

/**
 * The images of a set that can be decoded. Every one is decoded once to find out, because a set has to say how many
 * images it has before they are read.
 *
 * @throws DataError where none can be decoded
 */
export async function undamaged(set: ImageSet, onProgress?: OnProgress): Promise<Undamaged> {
  const kept: number[] = [];
  const skipped: string[] = [];
  for (let start = 0; start < set.length; start += step) {
    const count = Math.min(step, set.length - start);
    const whole = await isReadable(set, start, count);
    for (let i = start; i < start + count; i++)
      if (whole || (await isReadable(set, i, 1))) kept.push(i);
      else skipped.push(set.imageName(i));
    onProgress?.({ task: `checking ${set.name}`, done: start + count, total: set.length, unit: 'images' });
  }
  if (kept.length === 0)
    throw new DataError(set.name, 'has no image that can be decoded', 'leave out --skip-damaged to see why');
  return { images: skipped.length === 0 ? set : subset(set, Uint32Array.from(kept)), skipped };
}

async function isReadable(set: ImageSet, start: number, count: number): Promise<boolean> {
  try {
    await set.read(start, count, { height: 1, width: 1 });
    return true;
  } catch (error) {
    if (error instanceof DataError) return false;
    throw error;
  }
}

/** The images of these numbers, which rise. */
function subset(set: ImageSet, numbers: Uint32Array): ImageSet {
  return {
    name: set.name,
    length: numbers.length,
    classes: set.classes,
    label: (index) => set.label(numbers[index]),
    imageName: (index) => set.imageName(numbers[index]),
    fingerprint: async () => sha256(Buffer.from(`${await set.fingerprint()}\n${numbers.join()}`)),
    async read(start, count, geometry) {
      const parts: Promise<Uint8Array>[] = [];
      // Images that follow each other in the set are read together.
      for (let first = start; first < start + count; ) {
        let next = first + 1;
        while (next < start + count && numbers[next] === numbers[next - 1] + 1) next++;
        parts.push(set.read(numbers[first], next - first, geometry));
        first = next;
      }
      return new Uint8Array(Buffer.concat(await Promise.all(parts)));
    },
  };
}
