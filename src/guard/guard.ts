/// <reference lib="esnext.disposable" preserve="true" />
import type { Image } from '../../data/image-set.ts';
import { DataError, QueueFullError, UsageError } from '../common/errors.ts';
import type { OnProgress } from '../common/progress.ts';
import type { GuardAnswer } from './guard-answer.ts';
import type { GuardInfo } from './guard-info.ts';
import { Semaphore } from './semaphore.ts';

/** `height × width × 3` RGB bytes, row by row: an image that is decoded already. */
export type RawImage = Image;

/** An image: the bytes of its file, as they are or as a `Blob`; its pixels; or where its file lies: a path in Node, an address in a browser. */
export type ImageInput = string | Uint8Array | Blob | RawImage;

/** Images that are accepted and not answered yet, at most, where nobody says another number. */
export const DEFAULT_QUEUE = 256;

export interface GuardLimits {
  /** Images that a run has, at most: those that wait when it begins. 8 in Node, 1 in a browser. */
  readonly batch?: number;
  /** Images that are accepted and not answered yet, at most; 256 where absent. */
  readonly queue?: number;
}

export interface GuardScoreOptions {
  /** Gives up: the promise is rejected with its reason at once, and images that wait are not run. */
  readonly signal?: AbortSignal;
  /** Is told after each image. */
  readonly onProgress?: OnProgress;
}

/** What a `Guard` stands on: something that decodes, and something that runs the model. */
export interface GuardEngine {
  /** Images that are decoded at a time; the others wait, and can be given up. */
  readonly decoders: number;
  /**
   * The pixels of an image at the size of the model.
   *
   * @param where what to call it in an error
   * @throws DataError where it cannot be decoded
   */
  prepare(image: ImageInput, where: string): Promise<Uint8Array>;
  /** @param pixels of `count` images, one after the other */
  run(pixels: Uint8Array, count: number): Promise<GuardAnswer[]>;
  close(): Promise<void>;
}

/** An image that waits for a run. */
interface Waiting {
  readonly pixels: Uint8Array;
  readonly signal?: AbortSignal;
  resolve(answer: GuardAnswer): void;
  reject(reason: unknown): void;
}

/**
 * A guarded model that is open: `openGuard` gives one. Calls at the same time share runs. It takes so many images at a time;
 * what is more is refused at once with a `QueueFullError`, so that whoever asks can be told to come back.
 */
export class Guard {
  /** What the model says of itself. */
  readonly info: GuardInfo;
  readonly #engine: GuardEngine;
  readonly #batch: number;
  readonly #queue: number;
  readonly #accepted: Semaphore;
  readonly #decoding: Semaphore;
  readonly #waiting: Waiting[] = [];
  readonly #calls = new Set<Promise<unknown>>();
  #isRunning = false;
  #closing: Promise<void> | undefined;

  /** @internal `openGuard` makes it */
  constructor(info: GuardInfo, engine: GuardEngine, { batch, queue }: Required<GuardLimits>) {
    this.info = info;
    this.#engine = engine;
    this.#batch = info.batch ?? batch;
    this.#queue = queue;
    this.#accepted = new Semaphore(queue);
    this.#decoding = new Semaphore(engine.decoders);
  }

  /** Images that are accepted and not answered yet. */
  get pending(): number {
    return this.#accepted.taken;
  }

  /**
   * Decodes, resizes and scores an image, or many of them, in any mixture of kinds.
   *
   * @returns an answer, or one for each image in their order
   * @throws DataError where an image cannot be decoded (of many, the whole call fails); QueueFullError where the queue is full;
   * UsageError where the guard was closed; the signal's reason where that is aborted
   *
   * @example
   * ```ts
   * import { readFile } from 'node:fs/promises';
   * import { openGuard } from 'la-ood';
   *
   * const guard = await openGuard('guarded.onnx');
   * const { isOod, pValue, label, classes } = await guard.score(await readFile('photo.jpg'));
   * const answers = await guard.score(['photo.jpg', 'another.png']);
   * console.log(isOod, pValue, label, classes[0].score, answers.length);
   * await guard.close();
   * ```
   */
  score(image: ImageInput, options?: GuardScoreOptions): Promise<GuardAnswer>;
  score(images: readonly ImageInput[], options?: GuardScoreOptions): Promise<GuardAnswer[]>;
  async score(
    images: ImageInput | readonly ImageInput[],
    options: GuardScoreOptions = {},
  ): Promise<GuardAnswer | GuardAnswer[]> {
    if (this.#closing) throw new UsageError('guard', 'was closed', 'open it again');
    const { signal } = options;
    signal?.throwIfAborted();
    const call = isMany(images) ? this.#scoreMany(images, options) : this.#scoreOne(images, options);
    const ended = () => this.#calls.delete(call);
    this.#calls.add(call);
    call.then(ended, ended);
    return signal ? unlessAborted<GuardAnswer | GuardAnswer[]>(call, signal) : call;
  }

  /** Takes nothing more, answers what it has accepted, and ends the session. */
  close(): Promise<void> {
    this.#closing ??= Promise.allSettled(this.#calls).then(() => this.#engine.close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #scoreOne(image: ImageInput, { signal, onProgress }: GuardScoreOptions): Promise<GuardAnswer> {
    if (!this.#accepted.tryAcquire()) throw this.#full();
    const answer = await this.#work(image, nameOf(image, 'image'), signal);
    onProgress?.({ task: 'score', done: 1, total: 1, unit: 'images' });
    return answer;
  }

  /** Keeps two runs' worth of images at work, each as soon as the queue takes it. */
  async #scoreMany(
    images: readonly ImageInput[],
    { signal, onProgress }: GuardScoreOptions,
  ): Promise<GuardAnswer[]> {
    if (images.length === 0) return [];
    if (!this.#accepted.tryAcquire()) throw this.#full();
    const answers: GuardAnswer[] = [];
    const total = images.length;
    let next = 0;
    let done = 0;
    const lane = async (hasPermit: boolean) => {
      try {
        for (; next < total; hasPermit = false) {
          if (!hasPermit) await this.#accepted.acquire();
          // Others may have taken the last one meanwhile.
          if (next >= total) return this.#accepted.release();
          const i = next++;
          answers[i] = await this.#work(images[i], nameOf(images[i], `image ${i + 1} of ${total}`), signal);
          onProgress?.({ task: 'score', done: ++done, total, unit: 'images' });
        }
      } catch (error) {
        next = total;
        throw error;
      }
    };
    const lanes = Math.min(total, 2 * this.#batch);
    const ended = await Promise.allSettled(Array.from({ length: lanes }, (_, at) => lane(at === 0)));
    const failure = ended.find(({ status }) => status === 'rejected');
    if (failure) throw (failure as PromiseRejectedResult).reason;
    return answers;
  }

  /** Decodes and runs an image that the queue has taken, and releases its permit when it is done, be anybody waiting for it or not. */
  async #work(image: ImageInput, where: string, signal?: AbortSignal): Promise<GuardAnswer> {
    try {
      const pixels = await this.#decode(image, where, signal);
      return await new Promise<GuardAnswer>((resolve, reject) => {
        this.#waiting.push({ pixels, signal, resolve, reject });
        this.#run();
      });
    } finally {
      this.#accepted.release();
    }
  }

  async #decode(image: ImageInput, where: string, signal?: AbortSignal): Promise<Uint8Array> {
    await this.#decoding.acquire();
    try {
      signal?.throwIfAborted();
      return await this.#engine.prepare(image, where);
    } finally {
      this.#decoding.release();
    }
  }

  /** Runs what waits, as many images at a time as there are, until nothing waits. */
  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let taken = this.#take(); taken.length > 0; taken = this.#take()) {
      try {
        const answers = await this.#engine.run(joined(taken), taken.length);
        for (const [i, { resolve }] of taken.entries()) resolve(answers[i]);
      } catch (error) {
        for (const { reject } of taken) reject(error);
      }
    }
    this.#isRunning = false;
  }

  #take(): Waiting[] {
    const taken: Waiting[] = [];
    while (this.#waiting.length > 0 && taken.length < this.#batch) {
      const waiting = this.#waiting.shift()!;
      if (waiting.signal?.aborted) waiting.reject(waiting.signal.reason);
      else taken.push(waiting);
    }
    return taken;
  }

  #full(): QueueFullError {
    return new QueueFullError('guard', `has ${this.#queue} images to do`, 'ask again in a while');
  }
}

function isMany(images: ImageInput | readonly ImageInput[]): images is readonly ImageInput[] {
  return Array.isArray(images);
}

function nameOf(image: ImageInput, otherwise: string): string {
  if (typeof image === 'string') return image;
  return (image as { name?: string }).name || otherwise;
}

function joined(images: readonly Waiting[]): Uint8Array {
  if (images.length === 1) return images[0].pixels;
  const size = images[0].pixels.length;
  const pixels = new Uint8Array(images.length * size);
  for (const [i, image] of images.entries()) pixels.set(image.pixels, i * size);
  return pixels;
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** @throws DataError where there are other bytes than pixels need */
export function requirePixels({ height, width, pixels }: RawImage, where: string): void {
  if (pixels.length !== 3 * height * width || pixels.length === 0)
    throw new DataError(
      where,
      `${width} × ${height} RGB pixels take ${3 * height * width} bytes, and ${pixels.length} are there`,
      'give height × width × 3 bytes',
    );
}
