import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { DataError } from '../src/common/errors.ts';
import { startWorker } from '../src/common/workers.ts';
import type { DecodeOptions } from './decode.ts';
import type { Decoded, DecodeTask } from './decode-each.worker.ts';
import type { Geometry, Image } from './image-set.ts';

/** An image file: its bytes, or nothing where `where` is the path to read them from; or an image that is decoded already. */
export interface EncodedImage {
  /** What to call it in an error. */
  readonly where: string;
  readonly bytes?: Uint8Array;
  readonly image?: Image;
}

/** Images that a worker is given at a time: enough to make a message cheap, few enough for all to have some. */
const FEWEST = 8;
const MOST = 32;

/**
 * Decodes image files and brings them to a geometry, in worker threads, one for each core.
 *
 * @returns `count × height × width × 3` bytes
 * @throws DataError for the first of them that cannot be decoded
 */
export async function decodeEach(
  images: readonly EncodedImage[],
  geometry: Geometry,
  options: DecodeOptions = {},
): Promise<Uint8Array> {
  const stride = 3 * geometry.height * geometry.width;
  const pixels = new Uint8Array(images.length * stride);
  const share = Math.ceil(images.length / (2 * availableParallelism()));
  const some = Math.min(MOST, Math.max(FEWEST, share));
  const decoding: Promise<void>[] = [];
  for (let start = 0; start < images.length; start += some)
    decoding.push(
      decode({ images: images.slice(start, start + some), geometry, options }).then((part) => {
        pixels.set(part, start * stride);
      }),
    );
  // All of them, so that it is always the first damaged image that is named.
  const failure = (await Promise.allSettled(decoding)).find(({ status }) => status === 'rejected');
  if (failure) throw (failure as PromiseRejectedResult).reason;
  return pixels;
}

/** A task, and who waits for it. */
interface Job {
  readonly task: DecodeTask;
  resolve(pixels: Uint8Array): void;
  reject(error: Error): void;
}

const waiting: Job[] = [];
const idle: Decoder[] = [];
let decoders = 0;

function decode(task: DecodeTask): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    waiting.push({ task, resolve, reject });
    const decoder = idle.pop() ?? (decoders < availableParallelism() ? new Decoder() : undefined);
    decoder?.next();
  });
}

/** A worker thread that decodes. It stays, idle, until the process ends, which it does not keep from ending. */
class Decoder {
  readonly #worker: Worker;
  #job: Job | undefined;

  constructor() {
    decoders++;
    this.#worker = startWorker(import.meta.url, './decode-each.worker');
    this.#worker.on('message', (message: Decoded) => this.#receive(message));
    this.#worker.on('error', (error) => this.#job?.reject(error));
    this.#worker.on('exit', () => this.#end());
  }

  /** Takes the job that has waited longest. */
  next(): void {
    this.#job = waiting.shift();
    if (this.#job) {
      this.#worker.ref();
      this.#worker.postMessage(this.#job.task);
    } else {
      this.#worker.unref();
      idle.push(this);
    }
  }

  #receive(message: Decoded): void {
    const { resolve, reject } = this.#job!;
    if ('pixels' in message) resolve(message.pixels);
    else reject(new DataError(message.where, message.problem, message.remedy));
    this.next();
  }

  #end(): void {
    decoders--;
    this.#job?.reject(new Error('decoding was ended'));
    const place = idle.indexOf(this);
    if (place >= 0) idle.splice(place, 1);
    // Nobody else may be there to take these.
    if (decoders === 0) for (const { reject } of waiting.splice(0)) reject(new Error('decoding was ended'));
  }
}
