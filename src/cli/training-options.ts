import { type Recipe, schedules, type TrainingEngineName, trainingEngineNames } from '../index.ts';
import type { Option } from './command.ts';
import { atLeastOne, given, positive, seed } from './options.ts';

/** What trains, and how; without a value the recipe's holds. */
export const trainingOptions = {
  epochs: { type: 'number', describe: 'how often every image is seen', check: atLeastOne },
  batch: { alias: 'b', type: 'number', describe: 'images a step', check: atLeastOne },
  parts: {
    type: 'number',
    describe: 'parts that a batch is computed in, for less memory; batch normalisation takes each by itself',
    check: atLeastOne,
  },
  lr: { type: 'number', describe: 'learning rate', check: positive },
  momentum: { type: 'number', describe: 'momentum', check: belowOne },
  'weight-decay': { alias: 'wd', type: 'number', describe: 'weight decay', check: notNegative },
  clip: {
    type: 'number',
    describe: 'largest norm of the gradients; longer ones are shrunk',
    check: positive,
  },
  nesterov: { type: 'boolean', describe: "Nesterov's momentum" },
  'label-smoothing': {
    type: 'number',
    describe: 'share of each label that all classes have in equal parts',
    check: belowOne,
  },
  crop: { type: 'number', describe: 'pixels padded before a random crop; 0 for none', check: wholeNumber },
  'no-flip': { type: 'boolean', describe: 'mirror no images' },
  seed: { type: 'number', default: 0, describe: 'seed of all that is drawn', check: seed },
  engine: { describe: 'what computes; onnx where not given', choices: trainingEngineNames },
} as const satisfies Record<string, Option>;

export const schedule = {
  describe: "how the rate falls, where it is not as the recipe's",
  choices: Object.keys(schedules) as (keyof typeof schedules)[],
} as const satisfies Option;

interface Values {
  readonly epochs?: number;
  readonly batch?: number;
  readonly parts?: number;
  readonly lr?: number;
  readonly momentum?: number;
  readonly weightDecay?: number;
  readonly clip?: number;
  readonly nesterov?: boolean;
  readonly labelSmoothing?: number;
  readonly crop?: number;
  readonly noFlip?: boolean;
  readonly seed: number;
  readonly engine?: TrainingEngineName;
}

/** What was given of a training. */
export function givenOfTraining(values: Values): {
  recipe: Partial<Recipe>;
  seed: number;
  engine?: TrainingEngineName;
} {
  const {
    epochs,
    batch,
    lr: rate,
    momentum,
    weightDecay,
    clip,
    nesterov,
    labelSmoothing,
    crop,
    noFlip,
    seed,
    engine,
  } = values;
  const flip = noFlip ? false : undefined;
  const recipe = given({
    epochs,
    batch,
    rate,
    momentum,
    weightDecay,
    clip,
    nesterov,
    labelSmoothing,
    crop,
    flip,
  });
  return { recipe, seed, ...given({ engine }) };
}

function belowOne(value: number): string | undefined {
  return value >= 0 && value < 1 ? undefined : 'must be from 0 to below 1';
}

function notNegative(value: number): string | undefined {
  return value >= 0 ? undefined : 'must not be negative';
}

function wholeNumber(value: number): string | undefined {
  return Number.isInteger(value) && value >= 0 ? undefined : 'must be a whole number, or 0';
}
