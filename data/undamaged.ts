import { advice, DataError, option } from '../src/common/errors.ts';
import type { OnProgress } from '../src/common/progress.ts';
import type { ImageSet, LeftOut } from './image-set.ts';
import { subset } from './subset.ts';

/** Images that are tried at a time. */
const STEP = 64;

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
  const skipped: LeftOut[] = [];
  for (let start = 0; start < set.length; start += STEP) {
    const count = Math.min(STEP, set.length - start);
    const isWhole = (await problemOf(set, start, count)) === undefined;
    for (let i = start; i < start + count; i++) {
      const problem = isWhole ? undefined : await problemOf(set, i, 1);
      if (problem) skipped.push({ name: set.imageName(i), kind: unreadableKind(problem) });
      else kept.push(i);
    }
    onProgress?.({ task: `checking ${set.name}`, done: start + count, total: set.length, unit: 'images' });
  }
  if (kept.length === 0)
    throw new DataError(
      set.name,
      'has no image that can be decoded',
      advice`leave out ${option('skipDamaged')} to see why`,
    );
  if (skipped.length === 0) return { images: set, skipped: [] };
  const leftOut = [...(set.leftOut ?? []), ...skipped];
  return {
    images: { ...subset(set, Uint32Array.from(kept)), leftOut },
    skipped: skipped.map(({ name }) => name),
  };
}

/** What an image that is not read is called: `damaged`, or why it is not there: `is a link, which is not followed`. */
export function unreadableKind({ problem }: DataError): string {
  return problem.startsWith('cannot be decoded') ? 'damaged' : problem;
}

async function problemOf(set: ImageSet, start: number, count: number): Promise<DataError | undefined> {
  try {
    await set.read(start, count, { height: 1, width: 1 });
    return undefined;
  } catch (error) {
    if (error instanceof DataError) return error;
    throw error;
  }
}
