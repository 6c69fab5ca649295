/** How a backbone is trained. */
export interface Recipe {
  readonly epochs: number;
  /** Images a step. */
  readonly batch: number;
  /** Learning rate at the beginning, or at the peak of a cosine. */
  readonly rate: number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly schedule: Schedule;
  /** Pixels that are padded on each side before a random crop of the old size; 0 for none. */
  readonly crop: number;
  /** Whether every second image, by chance, is mirrored. */
  readonly flip: boolean;
  /** Largest norm of all gradients together; see `SgdOptions`. */
  readonly clip?: number;
  /** How many parts a batch is computed in; batch normalisation takes each by itself. 1 where absent. */
  readonly parts?: number;
  /** Nesterov's momentum. */
  readonly nesterov?: boolean;
  /** Share of each label that all classes have in equal parts. */
  readonly labelSmoothing?: number;
}

/** Which share of the learning rate is taken when. Moments are shares of the training: a shorter one has the same shape. */
export type Schedule =
  | { readonly kind: 'steps'; readonly factor: number; readonly at: readonly number[] }
  /** A straight rise over the share `warmup`, then half a cosine down to 0. */
  | { readonly kind: 'cosine'; readonly warmup: number };

export const schedules = {
  /** The same rate throughout. */
  constant: { kind: 'steps', factor: 1, at: [] },
  cosine: { kind: 'cosine', warmup: 0.1 },
} as const satisfies Record<string, Schedule>;

const augmentation = { crop: 4, flip: true } as const;
const tenthTwice: Schedule = { kind: 'steps', factor: 0.1, at: [0.5, 0.75] };
const halvedEveryTenth: Schedule = {
  kind: 'steps',
  factor: 0.5,
  at: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
};

/** The original's, by family: the names of its backbones begin so. */
const recipes: readonly (readonly [family: string, recipe: Recipe])[] = [
  [
    'vgg',
    {
      ...{ epochs: 300, batch: 128, rate: 0.05, momentum: 0.9, weightDecay: 5e-4 },
      schedule: halvedEveryTenth,
      ...augmentation,
    },
  ],
  [
    'resnet',
    {
      ...{ epochs: 200, batch: 128, rate: 0.1, momentum: 0.9, weightDecay: 1e-4 },
      schedule: tenthTwice,
      ...augmentation,
    },
  ],
  [
    'densenet',
    {
      ...{ epochs: 300, batch: 64, rate: 0.1, momentum: 0.9, weightDecay: 1e-4 },
      schedule: tenthTwice,
      ...augmentation,
    },
  ],
];

/**
 * The recipe that a backbone is trained with from scratch.
 *
 * @example
 * ```ts
 * import { recipeOf } from 'la-ood/training';
 *
 * console.log(recipeOf('resnet20').epochs);
 * ```
 */
export function recipeOf(architecture: string): Recipe {
  return recipes.find(([family]) => architecture.startsWith(family))![1];
}

/** What trained weights go on with: a short training at a tenth of the rate. */
export const fineTuning: Recipe = {
  ...{ epochs: 10, batch: 64, rate: 0.01, momentum: 0.9, weightDecay: 1e-4 },
  schedule: schedules.cosine,
  ...augmentation,
};

/** The original's co-training: small steps from a trained backbone. */
export function coTrainingRecipe(architecture = ''): Recipe {
  return {
    ...{ epochs: 5, batch: architecture.startsWith('densenet') ? 64 : 128 },
    ...{ rate: 0.001, momentum: 0.9, weightDecay: 1e-4, schedule: schedules.constant },
    ...augmentation,
  };
}

/**
 * The learning rate of a step.
 *
 * @param done the share of the training that is done before it, 0 to 1
 */
export function rateAt({ rate, schedule }: Recipe, done: number): number {
  if (schedule.kind === 'steps')
    return rate * schedule.factor ** schedule.at.filter((moment) => moment <= done).length;
  const { warmup } = schedule;
  if (done < warmup) return (rate * done) / warmup;
  return (rate * (1 + Math.cos((Math.PI * (done - warmup)) / (1 - warmup)))) / 2;
}
