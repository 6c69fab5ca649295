import { copyFile, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Geometry, ImageSet } from '../../../data/image-set.ts';
import { buildBackbone } from '../../../models/backbone.ts';
import { initialWeights } from '../../../models/initial.ts';
import { backboneMetadata } from '../../../models/metadata.ts';
import { architectureNamed } from '../../../models/registry.ts';
import { advice, command, DataError, GraphError, option, RunError, UsageError } from '../../common/errors.ts';
import { sha256File, writeAtomically } from '../../common/files.ts';
import type { OnProgress } from '../../common/progress.ts';
import { RandomState } from '../../common/random.ts';
import { curvesChart, curvesCsv } from '../../evaluation/curves.ts';
import { describeClassifier } from '../../graph/classifier/classifier.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import type { Normalization, Preprocessing } from '../../graph/preprocessing.ts';
import { readModel } from '../../graph/read.ts';
import { writeModel } from '../../graph/write.ts';
import type { TrainingEngineName } from '../../training/engine.ts';
import { openTrainingEngine } from '../../training/engines.ts';
import { LabeledImages } from '../../training/labeled-images.ts';
import { fineTuning, type Recipe, recipeOf } from '../../training/recipe.ts';
import type { EpochReport } from '../../training/train.ts';
import { preprocessingOf, resizingOf } from '../features/feature-graph.ts';
import { type OnLeftOut, openImages } from '../open-images.ts';
import type { RunFolder } from '../run-folder.ts';
import { trainResumably } from './train-resumably.ts';

export interface TrainBackboneOptions {
  /** The images to learn from, and those to test on after each epoch; both with the same classes (see `openImageSet`). */
  readonly train: string;
  readonly test: string;
  /** The architecture to train from scratch, where there is no `from`. */
  readonly arch?: string;
  /** A backbone whose weights to begin with. */
  readonly from?: string;
  /** What differs from the architecture's recipe, or from that of fine-tuning. */
  readonly recipe?: Partial<Recipe>;
  /** What a network that is trained from scratch gets its images in; the architecture's default where absent. */
  readonly normalization?: Normalization;
  /** Of the initial weights, the order of the images, augmentation and dropout; 0 where absent. */
  readonly seed?: number;
  /** What computes; onnxruntime where absent. */
  readonly engine?: TrainingEngineName;
  readonly orient?: boolean;
  readonly skipDamaged?: boolean;
  readonly onProgress?: OnProgress;
  readonly onLeftOut?: OnLeftOut;
}

export interface TrainReport {
  readonly epochs: readonly EpochReport[];
  /** The epoch whose weights are kept: the first with the largest test accuracy. */
  readonly best: EpochReport;
  readonly recipe: Recipe;
  /** What computed it. */
  readonly engine: string;
  /** The files written, relative to the run folder. */
  readonly files: readonly string[];
  readonly seconds: number;
  readonly done: 'now' | 'before';
}

const BACKBONE = 'backbone.onnx';
const PARTS = '.train.';

/**
 * Trains a run's backbone, from scratch or from weights that there are, and writes `backbone.onnx` (the epoch with the
 * best test accuracy), `training/curves.csv` and `training/curves.svg`. A training that was cut off goes on after its last
 * whole epoch, and ends in the same weights.
 *
 * @throws RunError where the run has a backbone that was not trained here; DataError where images have no classes;
 * TrainingError where the loss is no number any more; DeviceError where the engine does not work here
 *
 * @example
 * ```ts
 * import { RunFolder } from 'la-ood/guard';
 * import { trainBackbone } from 'la-ood/training';
 *
 * const { best } = await RunFolder.use('runs/mine', (run) =>
 *   trainBackbone(run, { arch: 'resnet20', train: 'photos/train', test: 'photos/test' }),
 * );
 * console.log(best.testAccuracy);
 * ```
 */
export async function trainBackbone(run: RunFolder, options: TrainBackboneOptions): Promise<TrainReport> {
  const { arch, from, seed = 0, onProgress } = options;
  if ((arch === undefined) === (from === undefined))
    throw new UsageError('training', 'begins with an architecture or with a backbone', 'name one of them');
  const engine = openTrainingEngine(options.engine);
  await refuseForeignBackbone(run);
  const [train, test] = await openSets(options);
  const model = from === undefined ? fromScratch(arch!, train, options) : await readModel(from);
  const where = from ?? arch!;
  const { classes, preprocessing, size } = describeTrainable(model, where);
  if (classes !== train.classes!.length)
    throw new GraphError(
      where,
      `has ${classes} classes, and ${train.name} has ${train.classes!.length}`,
      'train on a set with the same classes, in the same order',
    );
  const recipe: Recipe = { ...(arch === undefined ? fineTuning : recipeOf(arch)), ...options.recipe };

  const { record, done } = await run.do({
    name: 'train',
    settings: { ...recipe, seed, ...(arch && { arch, preprocessing }) },
    inputs: {
      train: await train.fingerprint(),
      test: await test.fingerprint(),
      ...(from !== undefined && { from: await sha256File(from) }),
    },
    run: async (key) => {
      const parts = (file: string) => join(partsFolder(run, key), file);
      const epochs = await trainResumably({
        ...{ model, where, engine, preprocessing, recipe, seed, onProgress },
        train: await LabeledImages.open(train, size, classes, onProgress),
        test: await LabeledImages.open(test, size, classes, onProgress),
        checkpoint: parts('checkpoint.onnx'),
        async keep(epochs, trained) {
          if (bestOf(epochs) === epochs.at(-1)) await writeModel(parts(BACKBONE), trained);
          await writeCurves(run, where, epochs);
        },
      });
      await writeAtomically(run.file(BACKBONE), (part) => copyFile(parts(BACKBONE), part));
      return { outputs: [BACKBONE, ...curveFiles], results: { epochs }, device: engine.name };
    },
  });
  // Only once the manifest knows the backbone: until then they show whose it is.
  await rm(partsFolder(run, record.key), { recursive: true, force: true });
  const { epochs } = record.results as { epochs: EpochReport[] };
  return {
    ...{ epochs, best: bestOf(epochs), recipe, engine: record.device! },
    ...{ files: Object.keys(record.outputs), seconds: record.seconds, done },
  };
}

/**
 * What training has to know of a backbone.
 *
 * @throws GraphError where it does not say its normalisation, or takes anything but float32 N×C×H×W of a known size
 */
export function describeTrainable(
  model: ModelProto,
  where: string,
): { classes: number; preprocessing: Preprocessing; size: Geometry } {
  const metadata = backboneMetadata(model, where);
  const { classes, layout, dtype, height, width } = describeClassifier(model, where);
  const preprocessing = preprocessingOf(metadata);
  if (layout !== 'NCHW' || dtype !== 'float32')
    throw new GraphError(
      where,
      `its input is ${layout} of ${dtype}`,
      'networks of float32 N×C×H×W are trained',
    );
  if (!preprocessing || !height || !width)
    throw new GraphError(
      where,
      'does not say its normalisation and the size of its images',
      advice`make it with ${command('import')}`,
    );
  return { classes, preprocessing, size: { height, width, ...resizingOf(metadata) } };
}

const curveFiles = ['training/curves.csv', 'training/curves.svg'] as const;

async function writeCurves(run: RunFolder, title: string, epochs: readonly EpochReport[]): Promise<void> {
  const [csv, svg] = curveFiles;
  await writeAtomically(run.file(csv), curvesCsv(epochs));
  await writeAtomically(run.file(svg), curvesChart(`Training of ${title}`, epochs));
}

/** The first of the epochs with the largest test accuracy. */
function bestOf(epochs: readonly EpochReport[]): EpochReport {
  return epochs.reduce((best, epoch) => (epoch.testAccuracy > best.testAccuracy ? epoch : best));
}

/** Where a training keeps its checkpoint and its best backbone until it has ended. */
function partsFolder(run: RunFolder, key: string): string {
  return run.file(`${PARTS}${key.slice(0, 8)}`);
}

/** What was imported into a run, and may be there only, is not replaced. */
async function refuseForeignBackbone(run: RunFolder): Promise<void> {
  const path = run.file(BACKBONE);
  if (!(await stat(path).catch(() => undefined))) return;
  const hash = await sha256File(path);
  if (run.record('train')?.outputs[BACKBONE] === hash) return;
  // That of a training which was killed before the manifest knew of it.
  for (const folder of await readdir(run.path)) {
    const kept = run.file(folder, BACKBONE);
    if (folder.startsWith(PARTS) && (await sha256File(kept).catch(() => undefined)) === hash) return;
  }
  throw new RunError(
    path,
    'was not trained here, and is not replaced',
    advice`take another ${option('run')}`,
  );
}

async function openSets(options: TrainBackboneOptions) {
  const { train, test, orient, skipDamaged, onProgress, onLeftOut } = options;
  const open = async (source: string) =>
    (await openImages(source, { orient, skipDamaged, onProgress, onLeftOut })).images;
  const [trained, tested] = [await open(train), await open(test)];
  if (!trained.classes)
    throw new DataError(
      train,
      'its images have no classes',
      'give a folder with a sub-folder for each class',
    );
  if (tested.classes?.join('\n') !== trained.classes.join('\n'))
    throw new DataError(
      test,
      `its classes are not those of ${train}`,
      'both sets need the same classes, in the same order',
    );
  return [trained, tested] as const;
}

function fromScratch(arch: string, { classes }: ImageSet, options: TrainBackboneOptions): ModelProto {
  const architecture = architectureNamed(arch);
  const weights = initialWeights(architecture, classes!.length, new RandomState(options.seed ?? 0));
  return buildBackbone(architecture, weights, { normalization: options.normalization });
}
