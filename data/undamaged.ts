import { DataError } from '../src/common/errors.ts';
import type { OnProgress } from '../src/common/progress.ts';
import type { ImageSet } from './image-set.ts';
import { subset } from './subset.ts';

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
  if (skipped.length === 0) return { images: set, skipped };
  const leftOut = [...(set.leftOut ?? []), ...skipped.map((name) => ({ name, kind: 'damaged' }))];
  return { images: { ...subset(set, Uint32Array.from(kept)), leftOut }, skipped };
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
