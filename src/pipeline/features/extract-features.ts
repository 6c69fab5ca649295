import { writeFeatures } from '../../../converters/hdf5/write-features.ts';
import { asStored } from '../../../data/as-stored.ts';
import { batches } from '../../../data/batches.ts';
import { corruptedSample, sampleChanges } from '../../../data/derived/corrupted-sample.ts';
import { generatedNames } from '../../../data/generated/generated-set.ts';
import type { ImageSet, ImageSize } from '../../../data/image-set.ts';
import { RunError, UsageError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { SetKind } from '../../evaluation/method-table.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { type OnLeftOut, openImages } from '../open-images.ts';
import type { RunFolder } from '../run-folder.ts';
import { FeatureBlocks } from './feature-blocks.ts';
import type { FeatureGraph } from './feature-graph.ts';
import { RunBackbone } from './run-backbone.ts';

/** A set of images: its name, and what to open (see `openImageSet`). */
export interface NamedSet {
  readonly name: string;
  readonly source: string;
  /** Of an OOD set: how far it is from the InD set. */
  readonly kind?: SetKind;
  /** Its images are in the classifier's size already, and are not resized and cropped. */
  readonly asStored?: boolean;
}

export interface FeatureOptions {
  /** The InD set that detectors are fitted on. */
  readonly train?: NamedSet;
  /** The InD set that they are tested on. */
  readonly test?: NamedSet;
  readonly ood?: readonly NamedSet[];
  readonly device?: DeviceName;
  /** Images a run; the fastest number on this machine where absent. */
  readonly batch?: number;
  /** Bytes that running the backbone may take beyond its weights; 2 GiB where absent. */
  readonly memory?: number;
  /** Training images that are changed in each of several ways, for what a guard says of conditions; 200 where absent, 0 for none. */
  readonly corrupted?: number;
  /** Taps whose standard deviation over positions is wanted beside the mean, in layers without a detector; or `all`. */
  readonly deviations?: readonly string[] | 'all';
  /** Seed of generated sets. */
  readonly seed?: number;
  /** `original` stores float64, as the original does, and follows it where its sets differ. */
  readonly compat?: 'original';
  /** Turns image files as their EXIF orientation says; the original does not. */
  readonly orient?: boolean;
  /** Leaves out the images that cannot be decoded, where they would end the work. */
  readonly skipDamaged?: boolean;
  readonly onProgress?: OnProgress;
  readonly onLeftOut?: OnLeftOut;
}

/** What a set is for; `corrupted` are training images that something was done to, for the directions of a guard. */
export type Role = 'train' | 'test' | 'ood' | 'corrupted';

export interface FeatureReport {
  /** Name of the feature file without its ending: `cifar10_train`. */
  readonly set: string;
  readonly images: number;
  /** Names of the images that were left out because they cannot be decoded. */
  readonly skipped?: readonly string[];
  /** Number of files in the set that were not read, those among them. */
  readonly leftOut?: number;
  /** Share of the images that the backbone classifies right, where the set's classes can be the backbone's. */
  readonly accuracy?: number;
  readonly device?: string;
  readonly seconds: number;
  readonly done: 'now' | 'before';
}

/** Attribute of a file of corrupted images: what was done to them, a JSON list; as many images by each. */
export const CORRUPTIONS = 'corruptions';

/** Attributes that name the layers of what goes into the last linear layer, and of the class labels. */
export const HEAD_INPUT_LAYER = 'head_input';
export const LABELS_LAYER = 'labels';

/** Attribute: the layers that tell of conditions, a JSON list. */
export const CONDITION_TAPS = 'condition_taps';

/** Attribute of features of a classifier whose classes do not exclude each other. */
export const MULTI_LABEL = 'multi_label';

/** What the layer of class labels is called: N×1. */
const LABELS = 'labels';

/**
 * Runs the backbone of a run folder over sets of images, and writes the pooled value of every tap into
 * `features/<set>_train.hdf5` and `features/<set>_test.hdf5`, in the original's layout. With the training images come
 * some of them corrupted, in `features/<set>_corrupted.hdf5`. Behind the taps lie what goes into the last linear layer,
 * where there is one, and the class labels, where the set's classes are the classifier's: layers without a detector.
 *
 * Work that was cut off goes on where it was: the features of each block of images are kept until the set is done.
 *
 * @throws RunError where the folder has no backbone, an InD set has the name of an OOD set, or two number their classes otherwise; GraphError, DataError where backbone or images are unusable
 *
 * @example
 * ```ts
 * import { extractFeatures, RunFolder } from 'la-ood/guard';
 *
 * await RunFolder.use('runs/mine', (run) =>
 *   extractFeatures(run, {
 *     train: { name: 'photos', source: 'photos/train' },
 *     test: { name: 'photos', source: 'photos/test' },
 *     ood: [{ name: 'textures', source: 'textures/', kind: 'far' }],
 *   }),
 * );
 * ```
 */
export async function extractFeatures(run: RunFolder, options: FeatureOptions): Promise<FeatureReport[]> {
  const { train, test, ood = [] } = options;
  const sets: [NamedSet, Role][] = ood.map((set) => [set, 'ood']);
  if (test) sets.unshift([test, 'test']);
  if (train) sets.unshift([train, 'train']);
  refuseClashes(run, sets);
  const backbone = await RunBackbone.open(run, options);
  try {
    const reports: FeatureReport[] = [];
    for (const [set, role] of sets) {
      const opened = await open(run, set, role, options);
      refuseOtherClasses(run, opened);
      reports.push(await extractSet(run, backbone, opened, options));
      if (role !== 'train' || options.corrupted === 0 || backbone.graph.conditionTaps.length === 0) continue;
      const changed = corruptedSet(opened, backbone.graph.size, options.corrupted);
      reports.push(await extractSet(run, backbone, changed, options));
    }
    return reports;
  } finally {
    await backbone.close();
  }
}

function fileName(name: string, role: Role): string {
  return `${name}_${role === 'ood' ? 'test' : role}`;
}

/** An OOD set by the name of the InD set would take its place, and InD would be measured against itself. */
function refuseClashes(run: RunFolder, sets: readonly [NamedSet, Role][]): void {
  const seen = new Set<string>();
  for (const [{ name }, role] of sets) {
    const file = fileName(name, role);
    if (seen.has(file))
      throw new UsageError(`set ${name}`, 'is named twice', 'give each set a name of its own');
    seen.add(file);
    const recorded = run.record(`features/${file}`)?.results.role;
    if (recorded !== undefined && recorded !== role)
      throw new RunError(
        run.file('features', `${file}.hdf5`),
        `is an ${recorded === 'ood' ? 'OOD' : 'InD'} set of this run`,
        'give this set another name, or take another run folder',
      );
  }
}

/** Of the InD sets of a run: what is class 3 in one has to be class 3 in the other. */
function refuseOtherClasses(run: RunFolder, { images, role, named }: OpenSet): void {
  const { classes } = images;
  if (!classes || role === 'ood') return;
  for (const [step, { results }] of run.records()) {
    const known = results as { role?: Role; classes?: readonly string[]; source?: string };
    const isOther = step.startsWith('features/') && step !== `features/${fileName(named.name, role)}`;
    if (!isOther || (known.role !== 'train' && known.role !== 'test')) continue;
    const differs =
      known.classes?.length === classes.length
        ? (name: string, i: number) => name !== known.classes![i]
        : undefined;
    const at = differs ? classes.findIndex(differs) : -1;
    if (at >= 0)
      throw new RunError(
        named.source,
        `its class ${at} is ${classes[at]}, and that of ${known.source} is ${known.classes![at]}`,
        'give both sets the same classes, in the same order',
      );
  }
}

/** A set of images that is open. */
interface OpenSet {
  readonly images: ImageSet;
  readonly skipped?: readonly string[];
  readonly role: Role;
  readonly named: NamedSet;
}

/** Images of a generated set at most. */
const GENERATED = 10_000;

/** How many images the run's InD test set has, where it is known. */
function testImages(run: RunFolder): number | undefined {
  const tests = run.records().filter(([, { results }]) => results.role === 'test');
  return tests.length === 0 ? undefined : Math.max(...tests.map(([, { results }]) => Number(results.images)));
}

async function open(
  run: RunFolder,
  named: NamedSet,
  role: Role,
  { compat, seed = 0, orient, skipDamaged, onProgress, onLeftOut }: FeatureOptions,
): Promise<OpenSet> {
  const name = fileName(named.name, role);
  // More images than it is compared with tell nothing more; the original has 10,000.
  const isDrawn = role === 'ood' && generatedNames.includes(named.source) && compat === undefined;
  const count = isDrawn ? Math.min(GENERATED, testImages(run) ?? GENERATED) : undefined;
  const reading = { seed, compat, orient, skipDamaged, ...(count && { count }) };
  const opened = await openImages(named.source, { name, ...reading, onProgress, onLeftOut });
  const images = named.asStored ? asStored(opened.images) : opened.images;
  return { ...opened, images, role, named };
}

function corruptedSet({ images, named }: OpenSet, size: ImageSize, count?: number): OpenSet {
  const role = 'corrupted';
  return { images: corruptedSample(images, fileName(named.name, role), size, count), role, named };
}

async function extractSet(
  run: RunFolder,
  backbone: RunBackbone,
  { images, skipped, role, named: { name, source, kind } }: OpenSet,
  { compat, seed = 0, orient, onProgress }: FeatureOptions,
): Promise<FeatureReport> {
  const set = fileName(name, role);
  const { taps, detectorTaps, widths, logits, headInput, conditionTaps, isMultiLabel } = backbone.graph;
  const logitsLayer = taps.indexOf(logits);
  // An OOD set's classes are others, be they as many.
  const classOf = classesOf(images, backbone.graph, widths[logitsLayer]);
  const classNames = backbone.graph.classNames ?? (classOf && images.classes);
  const labels = role === 'ood' ? undefined : classLabels(images, classOf);
  const output = `features/${set}.hdf5`;
  const precision = compat === 'original' ? 'float64' : 'float32';
  const attributes = {
    detector_taps: JSON.stringify(detectorTaps),
    logits,
    ...(headInput && { [HEAD_INPUT_LAYER]: headInput }),
    [CONDITION_TAPS]: JSON.stringify(conditionTaps),
    ...(labels && { [LABELS_LAYER]: LABELS }),
    ...(isMultiLabel && { [MULTI_LABEL]: 'true' }),
    backbone_sha256: backbone.sha256,
    dataset: set,
    ...(role === 'corrupted' && { [CORRUPTIONS]: JSON.stringify(sampleChanges(backbone.graph.size)) }),
  };
  const { record, done } = await run.do({
    name: `features/${set}`,
    settings: { taps, precision, ...(orient && { orient }) },
    inputs: { backbone: backbone.sha256, images: await images.fingerprint() },
    run: async (key) => {
      const blocks = new FeatureBlocks(run.file(`features/.${set}.${key.slice(0, 8)}`), widths);
      await computeBlocks(blocks, backbone, images, onProgress);
      const ranges = await blocks.ranges();
      let correct = 0;
      const layout = {
        ...({ count: images.length, precision, attributes } as const),
        widths: labels ? [...widths, 1] : widths,
        taps: labels ? [...taps, LABELS] : taps,
      };
      await writeFeatures(run.file(output), layout, async (append) => {
        for (const range of ranges) {
          const { start, end } = range;
          const layers = await blocks.read(range);
          if (classOf) correct += countCorrect(images, classOf, layers[logitsLayer], start, end);
          append(labels ? [...layers, labels.subarray(start, end)] : layers);
        }
      });
      await blocks.remove();
      return {
        outputs: [output],
        results: {
          role,
          ...(kind && { kind }),
          images: images.length,
          source,
          ...(seed !== 0 && { seed }),
          ...(skipped && { skipped }),
          ...(images.leftOut && { leftOut: images.leftOut }),
          ...(classOf && { accuracy: correct / images.length }),
          ...(classNames && { classes: classNames }),
        },
        device: [...new Set(ranges.map(({ device }) => device))].join(', '),
      };
    },
  });
  if (kind) await run.amend(`features/${set}`, { kind });
  // Finding that nothing has changed takes time too.
  if (done === 'before')
    onProgress?.({ task: `features ${set}`, done: images.length, total: images.length, unit: 'images' });
  const { accuracy } = record.results as { accuracy?: number };
  return {
    set,
    images: images.length,
    skipped,
    ...(images.leftOut?.length && { leftOut: images.leftOut.length }),
    accuracy,
    device: record.device,
    seconds: record.seconds,
    done,
  };
}

/** Seconds of work that a cut costs at most. */
const BLOCK_SECONDS = 20;

/** Images whose features are kept in memory at most. */
const BLOCK_IMAGES = 2048;

/** Computes what is not there yet, block by block. */
async function computeBlocks(
  blocks: FeatureBlocks,
  backbone: RunBackbone,
  images: ImageSet,
  onProgress?: OnProgress,
): Promise<void> {
  const { size, taps, widths } = backbone.graph;
  let done = (await blocks.ranges()).at(-1)?.end ?? 0;
  const tell = () =>
    onProgress?.({ task: `features ${images.name}`, done, total: images.length, unit: 'images' });
  if (done > 0) tell();
  if (done === images.length) return;
  const batch = await backbone.batchSize(images);
  const parallel = await backbone.parallelRuns();
  const running = new Set<Promise<void>>();
  let block = newBlock(done);
  for await (const { start, count, pixels } of batches(images, { batch, size, start: done })) {
    const { layers, start: first } = block;
    const run = backbone.run(pixels, count).then((outputs) => {
      taps.forEach((tap, l) => {
        layers[l].set(outputs[tap].data as Float32Array, (start - first) * widths[l]);
      });
      done += count;
      tell();
      running.delete(run);
    });
    // Whoever waits below is told of a failure; until then Node would take it for a crash.
    run.catch(() => {});
    running.add(run);
    const end = start + count;
    const isFull = end + batch > first + BLOCK_IMAGES || end === images.length;
    if (isFull || performance.now() - block.begin > 1000 * BLOCK_SECONDS) {
      await Promise.all(running);
      await blocks.write(
        first,
        await backbone.device(),
        layers.map((layer, l) => layer.subarray(0, (end - first) * widths[l])),
      );
      block = newBlock(end);
    } else if (running.size >= 2 * parallel) await Promise.race(running);
  }

  function newBlock(start: number) {
    const most = Math.min(Math.max(BLOCK_IMAGES, batch), images.length - start);
    const layers = widths.map((width) => new Float32Array(most * width));
    return { start, layers, begin: performance.now() };
  }
}

/**
 * Which of the backbone's classes each of a set's is: by its name, where both have names and the backbone knows all of them;
 * else the one of the same number, where there are as many.
 */
function classesOf(
  { classes }: ImageSet,
  { classNames }: FeatureGraph,
  count: number,
): readonly number[] | undefined {
  const named = classNames && classes?.map((name) => classNames.indexOf(name));
  if (named?.every((at) => at >= 0)) return named;
  return classes?.length === count ? classes.map((_, at) => at) : undefined;
}

/** The classifier's class of each image; undefined where the set's classes are not the classifier's, or an image has none. */
function classLabels(images: ImageSet, classOf: readonly number[] | undefined): Float32Array | undefined {
  if (!classOf) return undefined;
  const labels = new Float32Array(images.length);
  for (let i = 0; i < images.length; i++) {
    const label = images.label(i);
    if (label === undefined) return undefined;
    labels[i] = classOf[label];
  }
  return labels;
}

function countCorrect(
  images: ImageSet,
  classOf: readonly number[],
  logits: Float32Array,
  start: number,
  end: number,
): number {
  const classes = logits.length / (end - start);
  let correct = 0;
  for (let i = start; i < end; i++) {
    const row = logits.subarray((i - start) * classes, (i - start + 1) * classes);
    let top = 0;
    for (let c = 1; c < classes; c++) if (row[c] > row[top]) top = c;
    const label = images.label(i);
    if (label !== undefined && classOf[label] === top) correct++;
  }
  return correct;
}
