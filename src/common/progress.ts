/** One step of a long piece of work, as told to whoever shows it. */
export interface Progress {
  /** What is being done, for a person: `features cifar10_test`. */
  readonly task: string;
  /** Units finished so far, out of `total`. */
  readonly done: number;
  readonly total: number;
  /** What a unit is, in the plural: `images`, `layers`. */
  readonly unit: string;
  /** Anything else worth showing at this moment. */
  readonly note?: string;
}

export type OnProgress = (progress: Progress) => void;

/**
 * Work of a few steps that take unlike time.
 *
 * @param steps what is done in each, in their order
 * @returns to be called when a step begins, and once more at the end
 */
export function stepwise(task: string, steps: readonly string[], onProgress?: OnProgress): () => void {
  let done = 0;
  return () => {
    const note = steps[done];
    onProgress?.({ task, done, total: steps.length, unit: 'steps', ...(note && { note }) });
    done++;
  };
}
