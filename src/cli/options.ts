import { join } from 'node:path';
import { derivations, deviceNames, generatedNames, UsageError } from '../index.ts';
import type { Option } from './command.ts';

/** Options that several commands share, and the checks of their values. */

/** What can be typed for a set of images. */
export const setForms = [
  'a folder, archive, array or list of images, PATH:train, PATH:test or PATH:val being a part of it, and SET:50 so many of it',
  `a generated set: ${generatedNames.join(', ')}, demo:NAME`,
  `another set changed, BY:SET, BY being ${derivations.filter((name) => !/-[2-5]$/.test(name)).join(', ')}, at severities -1 to -5 or the strength behind the @`,
].join('; or ');

export const device = {
  describe: 'where graphs run; auto takes CUDA where it works, else the CPU',
  choices: deviceNames,
  default: 'auto',
} as const satisfies Option;

/** How sets of images are read. */
export const imageOptions = {
  batch: { type: 'number', describe: 'images a run; the fastest number where not given', check: atLeastOne },
  'exif-orientation': {
    type: 'boolean',
    describe: 'turn image files as their EXIF orientation says; the original does not',
  },
  'skip-damaged': {
    type: 'boolean',
    describe: 'leave out images that cannot be decoded, and say how many they are',
  },
} as const satisfies Record<string, Option>;

/** How much memory running graphs may take. */
export const memory = {
  type: 'number',
  default: 2,
  describe: 'GiB that may be taken beyond the weights; smaller batches are run, in fewer sessions',
  check: positive,
} as const satisfies Option;

/** Bytes of so many GiB. */
export function bytesOf(gibibytes: number): number {
  return gibibytes * 2 ** 30;
}

export const compat = {
  describe: 'follow the original implementation where it departs from its own method',
  choices: ['original'],
} as const satisfies Option;

/** Which run folder a command works in. */
export const runOptions = {
  run: { type: 'string', describe: 'the run folder; runs/<model>-<ind> where it is not given' },
  model: { type: 'string', describe: 'name of the backbone, for the name of the run folder' },
  ind: { type: 'string', describe: 'name of the InD set', check: properSetName },
} as const satisfies Record<string, Option>;

/** What names a run folder. */
export interface RunNames {
  readonly run?: string;
  readonly model?: string;
  readonly ind?: string;
}

/**
 * The run folder that `--run`, or `--model` and `--ind`, name.
 *
 * @param fallback what is taken for the model's name where none is given: then `--ind` need not be given either
 */
export function runPath({ run, model, ind }: RunNames, fallback?: string): string {
  if (run !== undefined && model !== undefined)
    throw new UsageError('--model', 'names a run folder, and so does --run', 'give one of them');
  if (run !== undefined) return run;
  if (model === undefined && fallback !== undefined)
    return join('runs', ind === undefined ? fallback : `${fallback}-${ind}`);
  if (model === undefined || ind === undefined)
    throw new UsageError('--run', 'is missing', 'name the run folder, or give --model and --ind');
  return join('runs', `${model}-${ind}`);
}

/** The options that were given, so that defaults elsewhere are not replaced by `undefined`. */
export function given<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** A set's name becomes part of file names. */
export function properSetName(name: string): string | undefined {
  return /^\w[\w.+-]*$/.test(name)
    ? undefined
    : 'is no name for a set: letters, digits, and . + - _ between them';
}

/** A whole number of at least 1. */
export function atLeastOne(value: number): string | undefined {
  return Number.isInteger(value) && value >= 1 ? undefined : 'must be a whole number of at least 1';
}

/** What MT19937 can be seeded with. */
export function seed(value: number): string | undefined {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 32
    ? undefined
    : 'must be a whole number from 0 to 2^32 - 1';
}

export function positive(value: number): string | undefined {
  return value > 0 ? undefined : 'must be greater than 0';
}

export function share(value: number): string | undefined {
  return value >= 0 && value <= 1 ? undefined : 'must be from 0 to 1';
}

/** A share that is neither nothing nor everything. */
export function properShare(value: number): string | undefined {
  return value > 0 && value < 1 ? undefined : 'must lie between 0 and 1';
}
