import { basename, dirname, resolve } from 'node:path';
import {
  adoptClassifier,
  type Color,
  filterNames,
  type Geometry,
  type ImportClassifierOptions,
  imagenetNormalization,
  type Normalization,
  type OnProgress,
  type Preprocessing,
  type RunFolder,
  UsageError,
} from '../index.ts';
import type { Option } from './command.ts';
import { atLeastOne, given, positive, type RunNames, runPath } from './options.ts';

/** A classifier on the command line, and what its file does not say of itself. */

const letterboxes = ['middle', 'top-left'] as const;

/** Names of normalisations that most networks have one of. */
const usualPreprocessings = {
  imagenet: imagenetNormalization,
  clip: { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] },
  inception: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
} as const;
const usualNames = Object.keys(usualPreprocessings) as (keyof typeof usualPreprocessings)[];

export const normalizationOptions = {
  mean: {
    type: 'number',
    array: true,
    nargs: 3,
    describe: 'mean of red, green and blue in training, of 0 to 1',
  },
  std: { type: 'number', array: true, nargs: 3, describe: 'their standard deviation', check: positive },
} as const satisfies Record<string, Option>;

export const classifierOptions = {
  ...normalizationOptions,
  preprocess: {
    describe: 'a usual --mean and --std; inception has mean and deviation .5',
    choices: usualNames,
  },
  scale: {
    type: 'number',
    describe: 'what bytes are multiplied by before that, 1/255 by default; 1 alone leaves them as they are',
    check: positive,
  },
  bgr: { type: 'boolean', describe: 'the channels are blue, green, red, and so are --mean and --std' },
  resize: {
    type: 'number',
    array: true,
    describe:
      'resize the shorter side to this, or stretch to this height and width, and cut the middle out; by default images are stretched',
    check: atLeastOne,
  },
  letterbox: {
    describe: 'keep the aspect, and put the image in the middle of a border, or top left',
    choices: letterboxes,
  },
  border: {
    type: 'number',
    array: true,
    nargs: 3,
    describe: 'colour of that border, black by default',
    check: level,
  },
  background: {
    type: 'number',
    array: true,
    nargs: 3,
    describe: 'colour behind transparent pixels, 0 to 255 each; by default alpha is dropped',
    check: level,
  },
  filter: { describe: 'the filter of resizing, lanczos by default', choices: filterNames },
  size: {
    type: 'number',
    array: true,
    nargs: 2,
    describe: 'height and width of images, where the model takes any',
    check: atLeastOne,
  },
  classes: {
    type: 'string',
    describe: 'a file of the names of the classes, one a line; a config.json beside the model is found',
  },
  output: { type: 'string', describe: 'the output that is the logits, where there are several' },
  taps: {
    type: 'string',
    array: true,
    describe: 'values to watch: names, patterns with * and ?, or all; la-ood inspect lists them',
  },
} as const satisfies Record<string, Option>;

interface Values {
  readonly preprocess?: (typeof usualNames)[number];
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  readonly scale?: number;
  readonly bgr?: boolean;
  readonly resize?: readonly number[];
  readonly letterbox?: (typeof letterboxes)[number];
  readonly border?: readonly number[];
  readonly background?: readonly number[];
  readonly filter?: (typeof filterNames)[number];
  readonly size?: readonly number[];
  readonly classes?: string;
  readonly output?: string;
  readonly taps?: readonly string[];
}

/** What was given of a classifier. */
export function givenOfClassifier(values: Values): ImportClassifierOptions {
  const { mean, std, scale, bgr, filter, size, output, taps, preprocess, classes } = values;
  if (preprocess && (mean || std))
    throw new UsageError('--preprocess', 'says --mean and --std already', 'leave one out');
  const normalization = preprocess ? usualPreprocessings[preprocess] : givenNormalization(mean, std);
  const isSaid = normalization !== undefined || scale !== undefined || bgr !== undefined;
  const preprocessing = isSaid
    ? {
        ...(normalization ?? { mean: [0, 0, 0], std: [1, 1, 1] }),
        ...given({ scale, channelOrder: bgr ? ('BGR' as const) : undefined }),
      }
    : undefined;
  if (size && size.length !== 2) throw new UsageError('--size', 'takes two numbers: height and width');
  return given({
    output,
    taps,
    classes,
    preprocessing,
    filter,
    ...givenFraming(values),
    background: color('--background', values.background),
    size: size && { height: size[0], width: size[1] },
  });
}

/** What `--resize`, `--letterbox` and `--border` say. */
function givenFraming({ resize, letterbox, border }: Values): Partial<ImportClassifierOptions> {
  if (resize && resize.length > 2) throw new UsageError('--resize', 'takes one number, or height and width');
  if (border && !letterbox) throw new UsageError('--border', 'is said of --letterbox, which is not given');
  if (letterbox) {
    if (resize)
      throw new UsageError('--letterbox', 'keeps all of the image, and --resize cuts', 'leave one out');
    return { letterbox: given({ place: letterbox, border: color('--border', border) }) };
  }
  if (!resize) return {};
  const [height, width] = resize;
  if (width === undefined) return { shorterSide: height };
  return { framing: { fit: 'stretch', to: { height, width }, rounding: 'truncate', place: 'middle' } };
}

function color(option: string, values: readonly number[] | undefined): Color | undefined {
  if (!values) return undefined;
  if (values.length !== 3) throw new UsageError(option, 'takes three numbers: red, green, blue');
  return [values[0], values[1], values[2]];
}

/** A byte. */
function level(value: number): string | undefined {
  return Number.isInteger(value) && value >= 0 && value <= 255
    ? undefined
    : 'must be a whole number from 0 to 255';
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
): { path: string; adopt: (run: RunFolder, onProgress: OnProgress) => Promise<readonly string[]> } {
  const { classifier } = values;
  const said = givenOfClassifier(values);
  if (classifier !== undefined)
    return {
      path: runPath(values, classifierName(classifier)),
      adopt: (run, onProgress) => adoptClassifier(run, classifier, { ...said, onProgress }),
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
export function givenNormalization(
  mean?: readonly number[],
  std?: readonly number[],
): Normalization | undefined {
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
export function describeGeometry(geometry: Geometry): string {
  const { height, width, filter = 'lanczos', shorterSide, framing, background } = geometry;
  const behind = background ? `, transparent pixels on ${background.join(' ')}` : '';
  const size = `${height}×${width}`;
  if (framing) {
    const to = `${framing.to.height}×${framing.to.width}`;
    const how = {
      stretch: `stretched to ${to}`,
      cover: `made to cover ${to}`,
      contain: `made to fit into ${to}`,
    };
    const border = framing.border ? `, border ${framing.border.join(' ')}` : '';
    const part = framing.place === 'start' ? `${size} from top left` : `the middle ${size} of that`;
    return `${how[framing.fit]}, ${filter}, and ${part}${border}${behind}`;
  }
  return shorterSide === undefined
    ? `stretched to ${size}, ${filter}${behind}`
    : `shorter side to ${shorterSide}, ${filter}, and ${size} cut out${behind}`;
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
