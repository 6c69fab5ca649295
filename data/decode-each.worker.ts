import { readFileSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { type Advice, DataError } from '../src/common/errors.ts';
import { onMessage } from '../src/common/workers.ts';
import { type DecodeOptions, decodeImage } from './decode.ts';
import type { EncodedImage } from './decode-each.ts';
import type { Geometry } from './image-set.ts';
import { resize } from './resample.ts';

/** A thread behind `decodeEach`. */

export interface DecodeTask {
  readonly images: readonly EncodedImage[];
  readonly geometry: Geometry;
  readonly options: DecodeOptions;
}

/** Pixels of all images of a task, or what was wrong with the first that could not be decoded. */
export type Decoded =
  | { readonly pixels: Uint8Array }
  | { readonly where: string; readonly problem: string; readonly remedy?: Advice };

onMessage(async (task: DecodeTask) => {
  try {
    const pixels = await decodeAll(task);
    parentPort!.postMessage({ pixels } satisfies Decoded, [pixels.buffer as ArrayBuffer]);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    const { where, problem, remedy } = error;
    parentPort!.postMessage({ where, problem, remedy } satisfies Decoded);
  }
});

async function decodeAll({ images, geometry, options }: DecodeTask): Promise<Uint8Array> {
  const stride = 3 * geometry.height * geometry.width;
  const pixels = new Uint8Array(images.length * stride);
  const { background } = geometry;
  for (const [i, { where, bytes, image }] of images.entries()) {
    const decoded = image ?? (await decodeImage(bytes ?? read(where), where, { ...options, background }));
    pixels.set(resize(decoded, geometry), i * stride);
  }
  return pixels;
}

/** Asynchronous reading costs more than decoding does, and there is nothing else for this thread to do. */
function read(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new DataError(
      path,
      `cannot be read (${(error as NodeJS.ErrnoException).code})`,
      'is it still there?',
    );
  }
}
