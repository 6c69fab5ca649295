import { DataError } from '../src/common/errors.ts';
import type { ImageSet, ImageSize } from './image-set.ts';

/** Consecutive images of a set: `count × height × width × 3` bytes, the first being image `start`. */
export interface Batch {
  readonly start: number;
  readonly count: number;
  readonly pixels: Uint8Array;
}

/** Which images to read, and how many at a time. */
export interface BatchOptions {
  /** Images a batch; the last one may be smaller. */
  readonly batch: number;
  readonly size: ImageSize;
  /** The first image, 0 if not given. */
  readonly start?: number;
  /** The image to stop before, the end of the set if not given. */
  readonly end?: number;
}

/**
 * Reads a set batch by batch. While the caller works on one batch the next is being decoded, so that two batches are
 * in memory at a time, however many images the set has.
 *
 * @throws DataError where the set has fewer than `end` images, or one of them cannot be decoded
 */
export async function* batches(set: ImageSet, options: BatchOptions): AsyncGenerator<Batch, void, undefined> {
  const { batch, size, start = 0, end = set.length } = options;
  if (end > set.length)
    throw new DataError(set.name, `has ${set.length} images, ${end} are asked for`, 'ask for fewer');
  const readFrom = (first: number) => {
    const pixels = set.read(first, Math.min(batch, end - first), size);
    // The caller sees a failure when it asks for this batch; until then nobody listens, which Node takes for a crash.
    pixels.catch(() => {});
    return pixels;
  };
  let next = start < end ? readFrom(start) : undefined;
  for (let first = start; next; first += batch) {
    const pixels = await next;
    next = first + batch < end ? readFrom(first + batch) : undefined;
    yield { start: first, count: Math.min(batch, end - first), pixels };
  }
}
