import { writeFeatures } from '../../../converters/hdf5/write-features.ts';
import { sampleChanges } from '../../../data/derived/corrupted-sample.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { DeviceName } from '../../runtime/device.ts';
import type { OnLeftOut } from '../open-images.ts';
import type { RunFolder } from '../run-folder.ts';
import { computeBlocks } from './compute-blocks.ts';
import {
  CONDITION_TAPS,
  CORRUPTIONS,
  HEAD_INPUT_LAYER,
  LABELS_LAYER,
  MULTI_LABEL,
} from './feature-attributes.ts';
import { FeatureBlocks } from './feature-blocks.ts';
import {
  corruptedSet,
  fileName,
  type NamedSet,
  type OpenSet,
  openSet,
  type Role,
  refuseClashes,
  refuseOtherClasses,
} from './feature-sets.ts';
import { RunBackbone } from './run-backbone.ts';
import { classesOf, classLabels, countCorrect } from './set-classes.ts';

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
      const opened = await openSet(run, set, role, options);
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
