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
