import { basename, dirname, resolve } from 'node:path';
import {
  adoptClassifier,
  filterNames,
  type Geometry,
  type ImportClassifierOptions,
  type Normalisation,
  type Preprocessing,
  type RunFolder,
  UsageError,
} from '../index.ts';
import type { Option } from './command.ts';
import { atLeastOne, given, positive, type RunNames, runPath } from './options.ts';

/** A classifier on the command line, and what its file does not say of itself. */

export const normalisationOptions = {
  mean: {
    type: 'number',
    array: true,
    nargs: 3,
    describe: 'mean of red, green and blue in training, of 0 to 1',
  },
  std: { type: 'number', array: true, nargs: 3, describe: 'their standard deviation', check: positive },
} as const satisfies Record<string, Option>;

export const classifierOptions = {
  ...normalisationOptions,
  scale: {
    type: 'number',
    describe: 'what bytes are multiplied by before that, 1/255 by default; 1 alone leaves them as they are',
    check: positive,
  },
  bgr: { type: 'boolean', describe: 'the channels are blue, green, red, and so are --mean and --std' },
  resize: {
    type: 'number',
    describe: 'resize the shorter side to this and cut the middle out; by default images are stretched',
    check: atLeastOne,
  },
  filter: { describe: 'the filter of resizing, lanczos by default', choices: filterNames },
  size: {
    type: 'number',
    array: true,
    nargs: 2,
    describe: 'height and width of images, where the model takes any',
    check: atLeastOne,
  },
  output: { type: 'string', describe: 'the output that is the logits, where there are several' },
  taps: {
    type: 'string',
    array: true,
    describe: 'values to watch: names, patterns with * and ?, or all; la-ood inspect lists them',
  },
} as const satisfies Record<string, Option>;

interface Values {
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  readonly scale?: number;
  readonly bgr?: boolean;
  readonly resize?: number;
  readonly filter?: (typeof filterNames)[number];
  readonly size?: readonly number[];
  readonly output?: string;
  readonly taps?: readonly string[];
}

/** What was given of a classifier. */
export function givenOfClassifier(values: Values): ImportClassifierOptions {
  const { mean, std, scale, bgr, resize, filter, size, output, taps } = values;
  const normalisation = givenNormalisation(mean, std);
  const isSaid = normalisation !== undefined || scale !== undefined || bgr !== undefined;
  const preprocessing = isSaid
    ? {
        ...(normalisation ?? { mean: [0, 0, 0], std: [1, 1, 1] }),
        ...given({ scale, channelOrder: bgr ? ('BGR' as const) : undefined }),
      }
    : undefined;
  if (size && size.length !== 2) throw new UsageError('--size', 'takes two numbers: height and width');
  return given({
    output,
    taps,
    preprocessing,
    filter,
    shorterSide: resize,
    size: size && { height: size[0], width: size[1] },
  });
}

interface Named extends Values, RunNames {
  readonly classifier?: string;
}

/**
 * The run folder of a command line that may name a classifier, and how it becomes the run's backbone; that gives what a
 * person would not expect of it.
 *
 * @param command the command's name, for errors
 */
export function classifierRun(
  command: string,
  values: Named,
): { path: string; adopt: (run: RunFolder) => Promise<readonly string[]> } {
  const { classifier } = values;
  const said = givenOfClassifier(values);
  if (classifier !== undefined)
    return {
      path: runPath(values, classifierName(classifier)),
      adopt: (run) => adoptClassifier(run, classifier, said),
    };
  const [option] = Object.keys(said);
  if (option !== undefined)
    throw new UsageError(
      `la-ood ${command}`,
      'says something of a classifier, and names none',
      'name the model',
    );
  return { path: runPath(values), adopt: async () => [] };
}

/** The positional of a classifier that need not be named. */
export const classifierPositional = {
  describe: "an ONNX classifier; the run's own backbone where not given",
  demandOption: false,
} as const satisfies Option;

/** `--mean` and `--std`, three numbers each. */
export function givenNormalisation(
  mean?: readonly number[],
  std?: readonly number[],
): Normalisation | undefined {
  if (!mean && !std) return undefined;
  if (!mean || !std)
    throw new UsageError(mean ? '--std' : '--mean', 'is missing', '--mean and --std belong together');
  for (const [name, values] of Object.entries({ mean, std }))
    if (values.length !== 3) throw new UsageError(`--${name}`, 'takes three numbers: red, green, blue');
  return { mean, std };
}

/** A normalisation in words. */
export function describePreprocessing(preprocessing: Preprocessing | undefined): string {
  if (!preprocessing) return 'its own, of bytes';
  const { mean, std, scale, channelOrder } = preprocessing;
  const parts = [`mean ${mean.join(' ')}, std ${std.join(' ')}`];
  if (scale !== undefined) parts.push(`of bytes × ${Number(scale.toPrecision(6))}`);
  if (channelOrder) parts.push(channelOrder);
  return parts.join(', ');
}

/** In words, what is done to images of another size. */
export function describeGeometry({ height, width, filter = 'lanczos', shorterSide }: Geometry): string {
  const size = `${height}×${width}`;
  return shorterSide === undefined
    ? `stretched to ${size}, ${filter}`
    : `shorter side to ${shorterSide}, ${filter}, and ${size} cut out`;
}

/** Names of files that say nothing: the folder's is taken. */
const nameless = /^(model|backbone|onnx)$/i;

/** What a classifier is called: `mobilenet` for `mobilenet.onnx`, `mobilenet/model.onnx`, `mobilenet/onnx/model.onnx`. */
export function classifierName(path: string): string {
  let name = basename(path).replace(/\.(onnx|ort)$/i, '');
  for (let folder = dirname(resolve(path)); nameless.test(name) && basename(folder); folder = dirname(folder))
    name = basename(folder);
  return name.replace(/[^\w.+-]/g, '_') || 'model';
}
