import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { configuredClassNames } from '../../../converters/huggingface/class-names.ts';
import { findPreprocessing } from '../../../converters/huggingface/find-preprocessing.ts';
import { readCheckpoint } from '../../../converters/pytorch/read-checkpoint.ts';
import type { Geometry, ImageSize } from '../../../data/image-set.ts';
import { assemble, stateDictOf } from '../../../models/backbone.ts';
import type { OriginalReading } from '../../../models/families/original.ts';
import { encodeBackboneMetadata } from '../../../models/metadata.ts';
import { isCounter } from '../../../models/weights.ts';
import { collectGarbage } from '../../common/collect.ts';
import { advice, CheckpointError, GraphError, option } from '../../common/errors.ts';
import { isSameFile, sha256File, writeTogether } from '../../common/files.ts';
import { type OnProgress, stepwise } from '../../common/progress.ts';
import { type DType, elementCount, type StateDict, toFloat32 } from '../../common/tensor.ts';
import { checkModel } from '../../graph/check.ts';
import { tapCandidates } from '../../graph/classifier/candidates.ts';
import { chooseTaps, defaultTaps } from '../../graph/classifier/choose-taps.ts';
import { describeClassifier, LOGITS } from '../../graph/classifier/classifier.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import type { Preprocessing } from '../../graph/preprocessing.ts';
import { setMetadata } from '../../graph/rewrite.ts';
import { compareWritten, writeModel } from '../../graph/write.ts';
import { GraphSession } from '../../runtime/graph-session.ts';
import { type FoundNetwork, findNetwork } from './find-network.ts';
import { type ResizingOptions, saysResizing, withResizing } from './resizing.ts';

export interface ImportOptions extends ResizingOptions {
  /** `family/name`, or the name of a network alone; found from the checkpoint where absent. */
  readonly arch?: string;
  /** The class count that the network must have. */
  readonly classes?: number;
  /** Where a checkpoint holds several sets of weights, the key of the one wanted: `ema`. */
  readonly wrapper?: string;
  /** What the weights were trained with, where it is not what the file, its configuration or its family say. */
  readonly normalization?: Preprocessing;
  /** The size of images, where the same holds. */
  readonly size?: ImageSize;
  /** Names of values or nodes, patterns, or `all`. */
  readonly taps?: readonly string[];
  readonly onProgress?: OnProgress;
}

const steps = [
  'reading it',
  'looking for its network',
  'writing it, and comparing every weight',
  'running it',
];

export interface Imported {
  /** `torchvision/resnet50`; the original's networks have no family's name. */
  readonly architecture: string;
  readonly classes: number;
  readonly parameters: number;
  readonly taps: readonly string[];
  readonly normalization: Preprocessing;
  /** What says the normalisation: `as given`, a file's name, `the checkpoint`, or the family. */
  readonly origin: string;
  readonly geometry: Geometry;
  /** The names of the classes, where a `config.json` beside it says them. */
  readonly classNames?: readonly string[];
  /** What the file does not show of the network, and was taken from its family. */
  readonly assumptions: readonly string[];
  /** How the weights were found: wrapper, prefix, what was left out, conversions. */
  readonly notes: readonly string[];
}

/**
 * Turns a PyTorch or safetensors checkpoint into an ONNX backbone; then reads that file back, compares every weight, and
 * runs it once.
 *
 * @param source a checkpoint, of any name
 * @param target the `.onnx` to write
 * @throws CheckpointError where the checkpoint cannot be read, is of no known network or of several, nothing says its
 *   images, or it would be written over
 *
 * @example
 * ```ts
 * import { importCheckpoint } from 'la-ood/checkpoints';
 *
 * const { architecture } = await importCheckpoint('resnet20.th', 'backbone.onnx');
 * console.log(architecture);
 * ```
 */
export async function importCheckpoint(
  source: string,
  target: string,
  options: ImportOptions = {},
): Promise<Imported> {
  if (await isSameFile(source, target))
    throw new CheckpointError(source, 'would be written over by its own import', 'name another output');
  const next = stepwise(`import ${basename(source)}`, steps, options.onProgress);
  let imported: Imported | undefined;
  await writeTogether(dirname(target), async (part) => {
    const written = join(part, basename(target));
    imported = await convert(source, written, target, options, next);
    // The checkpoint's tensors are gone before the file's own are read.
    collectGarbage();
    next();
    await runOnce(written, target, imported.geometry);
    // Data before the model that refers to them.
    return (await readdir(part)).sort().reverse();
  });
  next();
  return imported!;
}

/** Writes the backbone to the path `written`, and compares what it wrote; errors name it by its target. */
async function convert(
  source: string,
  written: string,
  target: string,
  options: ImportOptions,
  next: () => void,
): Promise<Imported> {
  next();
  const checkpoint = await readCheckpoint(source, { wrapper: options.wrapper });
  next();
  const configured = options.normalization && options.size ? undefined : await findPreprocessing(source);
  const size = options.size ?? configured?.geometry;
  const found = await findNetwork(source, checkpoint, { arch: options.arch, size });
  checkClasses(source, found, options.classes);
  const { normalization, origin, geometry } = describeImages(source, found, configured, options);
  const { id, reading, network, weights, record } = found;
  const bare = assemble(network, weights, {}, found.unused);
  const { taps, detectorTaps } = tapsOf(bare, found, source, options.taps);
  const { height: _, width: __, ...resizing } = geometry;
  const named = await configuredClassNames(source);
  const classNames = named?.length === reading.classes ? named : undefined;
  const model = setMetadata(bare, {
    ...encodeBackboneMetadata({
      ...{ architecture: id, classCount: reading.classes, classNames, taps, detectorTaps },
      ...{ ...normalization, ...resizing },
      ...{ assumptions: reading.assumptions, stateDict: record },
    }),
    'la_ood.source': basename(source),
    'la_ood.source_sha256': await sha256File(source),
    'la_ood.preprocessing': origin,
  });
  checkModel(model, target);
  next();
  await writeModel(written, model, {
    check: async (path) => verify(path, target, model, checkpoint.stateDict),
  });
  const parameters = countParameters(weights);
  const notes = [...checkpoint.notes, ...found.notes, ...conversions(weights)];
  return {
    architecture: id,
    classes: reading.classes,
    parameters,
    ...{ taps, normalization, origin, geometry },
    ...(classNames && { classNames }),
    assumptions: reading.assumptions,
    notes,
  };
}

function checkClasses(where: string, { reading, network }: FoundNetwork, wanted: number | undefined): void {
  const { classes } = reading;
  if (wanted === undefined || wanted === classes) return;
  const head = [...network.parameters].filter(([, shape]) => shape.length === 2).at(-1);
  const shape = head && `: ${head[0]} is ${head[1].join('×')}, not ${[wanted, head[1][1]].join('×')}`;
  throw new CheckpointError(
    where,
    `has ${classes} classes where ${wanted} were asked for${shape ?? ''}`,
    `ask for ${classes} classes, or fine-tune the network on ${wanted}`,
  );
}

/** The images that the network takes, by what is said of them, the nearest first. */
function describeImages(
  where: string,
  { input, normalization: ofFile, id }: FoundNetwork,
  configured: Awaited<ReturnType<typeof findPreprocessing>>,
  { normalization: given, size, ...resizing }: ImportOptions,
): { normalization: Preprocessing; origin: string; geometry: Geometry } {
  const plain = ({ mean, std, scale, channelOrder }: Preprocessing): Preprocessing => ({
    ...{ mean, std },
    ...(scale !== undefined && { scale }),
    ...(channelOrder && { channelOrder }),
  });
  const sources: [Preprocessing | undefined, string][] = [
    [given, 'as given'],
    [ofFile, 'the checkpoint'],
    [configured && plain(configured), configured ? basename(configured.source) : ''],
    [input && { mean: input.mean, std: input.std }, id],
  ];
  const [normalization, origin] = sources.find(([preprocessing]) => preprocessing) ?? [];
  const geometry = size ? undefined : (configured?.geometry ?? input?.geometry);
  if (!normalization || !(size ?? geometry))
    throw new CheckpointError(
      where,
      `nothing says ${normalization ? 'the size of the images' : 'how the images are normalised'} that ${id} with so many classes takes`,
      normalization
        ? advice`give ${option('size')}`
        : advice`give ${option('mean')} and ${option('std')} as in its training, and ${option('size')}`,
    );
  const { height, width } = (size ?? geometry)!;
  const found = saysResizing(resizing) || !geometry ? { height, width } : geometry;
  return { normalization, origin: origin!, geometry: withResizing(where, found, resizing) };
}

/** The original's own taps; of other networks those that are taken of any classifier. */
function tapsOf(
  model: ModelProto,
  { reading }: FoundNetwork,
  where: string,
  wanted: readonly string[] | undefined,
): { taps: readonly string[]; detectorTaps: readonly string[] } {
  const { original } = reading as Partial<OriginalReading>;
  if (original && !wanted) return original;
  const candidates = tapCandidates(model, describeClassifier(model, where));
  const detectorTaps = wanted ? chooseTaps(candidates, wanted, where) : defaultTaps(candidates);
  return { taps: [...new Set([...detectorTaps, LOGITS])], detectorTaps };
}

/** Compares the weights that come back with the checkpoint's, and the file with what was written to it. */
function verify(written: string, path: string, model: ModelProto, stateDict: StateDict): void {
  for (const [key, tensor] of stateDictOf(model, path)) {
    const wanted = toFloat32(stateDict.get(key)!);
    const found = toFloat32(tensor);
    if (wanted.buffer !== found.buffer && !found.every((value, i) => value === wanted[i]))
      throw new GraphError(
        `${path}: ${key}`,
        'does not hold what the checkpoint holds',
        'please report it: this is a defect',
      );
  }
  compareWritten(written, model, path);
}

/** Runs the written file on a grey image. */
async function runOnce(written: string, path: string, { height, width }: Geometry): Promise<void> {
  const session = await GraphSession.open(written, { device: 'cpu', single: true });
  try {
    const shape = [1, 3, height, width];
    const image = { dtype: 'float32', shape, data: new Float32Array(elementCount(shape)) } as const;
    const { logits } = await session.run({ input: image });
    if (!(logits.data as Float32Array).every(Number.isFinite))
      throw new GraphError(
        path,
        'gives logits that are not finite for a grey image',
        'its weights are unusable',
      );
  } finally {
    await session.close();
  }
}

/** What had to be made float32: ONNX backbones hold no other weights. */
function conversions(stateDict: StateDict): string[] {
  const counts = new Map<DType, number>();
  for (const [key, { dtype }] of stateDict)
    if (dtype !== 'float32' && !isCounter(key)) counts.set(dtype, (counts.get(dtype) ?? 0) + 1);
  return Array.from(counts, ([dtype, count]) => `${count} tensors converted from ${dtype} to float32`);
}

/** Weights and biases; not the running statistics and counters of batch normalisation. */
export function countParameters(stateDict: StateDict): number {
  let count = 0;
  for (const [key, { shape }] of stateDict)
    if (!isCounter(key) && !/\.running_(mean|var)$/.test(key)) count += elementCount(shape);
  return count;
}
