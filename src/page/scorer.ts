import type { ImageSize } from '../../data/image-set.ts';
import type { RuntimeName, RuntimeReport } from '../browser/open-browser-guard.ts';
import type { GuardAnswer } from '../guard/guard-answer.ts';
import type { GuardFacts } from './guard-facts.ts';

/** What the model says of a file. */
export interface Scored {
  readonly answer: GuardAnswer;
  /** What the model was given: `height × width × 3` at its size. */
  readonly pixels: Uint8Array;
  /** The image's own size. */
  readonly stored: ImageSize;
  readonly milliseconds: { readonly decode: number; readonly run: number };
  /** Why the numbers may not be those of `la-ood score`, where that is so. */
  readonly note?: string;
}

export type ToScorer =
  | { readonly facts: GuardFacts; readonly only?: RuntimeName }
  | { readonly id: number; readonly file: Blob; readonly name: string };

export type FromScorer =
  | { readonly opened: RuntimeReport }
  | { readonly failed: string }
  | { readonly id: number; readonly scored: Scored }
  | { readonly id: number; readonly error: string };

interface Waiting<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

/** The worker that scores, as promises. */
export class Scorer {
  readonly #worker = new Worker(new URL('./scorer.worker.js', import.meta.url), { type: 'module' });
  readonly #waiting = new Map<number, Waiting<Scored>>();
  #opening: Waiting<RuntimeReport> | undefined;
  #next = 0;

  /**
   * Loads the model and finds what runs it.
   *
   * @param only what it has to run on; the fastest where absent
   */
  open(facts: GuardFacts, only?: RuntimeName): Promise<RuntimeReport> {
    this.#worker.addEventListener('message', ({ data }: MessageEvent<FromScorer>) => {
      if ('opened' in data) this.#opening?.resolve(data.opened);
      else if ('failed' in data) this.#opening?.reject(new Error(data.failed));
      else if ('scored' in data) this.#take(data.id)?.resolve(data.scored);
      else this.#take(data.id)?.reject(new Error(data.error));
    });
    this.#worker.addEventListener('error', ({ message }) =>
      this.#opening?.reject(new Error(message || 'its script could not be loaded')),
    );
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject };
      this.#worker.postMessage({ facts, only } satisfies ToScorer);
    });
  }

  /** Scores an image file; those that were given before come first. */
  score(file: File): Promise<Scored> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, file, name: file.name } satisfies ToScorer);
    });
  }

  #take(id: number): Waiting<Scored> | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}
