import { DataError } from '../src/common/errors.ts';
import type { Geometry, ImageSet } from './image-set.ts';

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
  readonly size: Geometry;
  /** The first image, 0 if not given. */
  readonly start?: number;
  /** The image to stop before, the end of the set if not given. */
  readonly end?: number;
}

/** Images that are being read while the caller works: enough to keep the threads that decode them busy. */
const AHEAD = 64;

/**
 * Reads a set batch by batch. While the caller works on one batch the next ones are being decoded, at least one and
 * about 64 images in all, so that memory is bounded however many images the set has.
 *
 * @throws DataError where the set has fewer than `end` images, or one of them cannot be decoded
 *
 * @example
 * ```ts
 * import { batches, openImageSet } from 'la-ood/guard';
 *
 * const images = await openImageSet('photos/');
 * for await (const { start, count, pixels } of batches(images, { batch: 64, size: { height: 32, width: 32 } }))
 *   console.log(start, count, pixels.length); // count × 32 × 32 × 3 bytes
 * ```
 */
export async function* batches(set: ImageSet, options: BatchOptions): AsyncGenerator<Batch, void, undefined> {
  const { batch, size, start = 0, end = set.length } = options;
  if (end > set.length)
    throw new DataError(set.name, `has ${set.length} images, ${end} are asked for`, 'ask for fewer');
  const reading: Promise<Uint8Array>[] = [];
  let next = start;
  const readMore = () => {
    for (; next < end && reading.length * batch <= AHEAD; next += batch) {
      const pixels = set.read(next, Math.min(batch, end - next), size);
      // The caller sees a failure when it asks for this batch; until then nobody listens, which Node takes for a crash.
      pixels.catch(() => {});
      reading.push(pixels);
    }
  };
  readMore();
  for (let first = start; first < end; first += batch) {
    const pixels = await reading.shift()!;
    readMore();
    yield { start: first, count: Math.min(batch, end - first), pixels };
  }
}
