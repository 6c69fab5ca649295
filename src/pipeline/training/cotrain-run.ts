import { copyFile, rm, stat } from 'node:fs/promises';
import { backboneMetadata } from '../../../models/metadata.ts';
import { advice, command, option, RunError } from '../../common/errors.ts';
import { sha256File, writeAtomically } from '../../common/files.ts';
import type { OnProgress } from '../../common/progress.ts';
import { RandomState } from '../../common/random.ts';
import { defaultFitOptions, type FitOptions } from '../../detectors/layer-svm.ts';
import { curvesChart, curvesCsv } from '../../evaluation/curves.ts';
import type { Evaluation } from '../../evaluation/evaluate.ts';
import { readModel } from '../../graph/read.ts';
import { writeModel } from '../../graph/write.ts';
import type { DeviceName } from '../../runtime/device.ts';
import type { TrainingEngineName } from '../../training/engine.ts';
import { openTrainingEngine } from '../../training/engines.ts';
import { LabeledImages } from '../../training/labeled-images.ts';
import { pooledScalers } from '../../training/pooled-scalers.ts';
import { coTrainingRecipe, type Recipe } from '../../training/recipe.ts';
import { seedOf, streams } from '../../training/seeds.ts';
import { augmentationOf, type EpochReport } from '../../training/train.ts';
import { fitDetectors } from '../detectors/fit-detectors.ts';
import { readDetectors } from '../detectors/read-detectors.ts';
import { evaluateRun } from '../evaluation/evaluate-run.ts';
import { extractFeatures } from '../features/extract-features.ts';
import { featureFile, featureSets } from '../features/feature-files.ts';
import type { NamedSet } from '../features/feature-sets.ts';
import { openRecorded, recordedSet } from '../features/recorded-set.ts';
import type { OnLeftOut } from '../open-images.ts';
import { RunFolder } from '../run-folder.ts';
import { comparisonCsv } from './cotrain-table.ts';
import { describeTrainable } from './train-backbone.ts';
import { trainResumably } from './train-resumably.ts';

export interface CoTrainOptions {
  /** Name of the InD set; the one whose training features the run has, where absent. */
  readonly ind?: string;
  /** Weight of the detectors' part of the loss, .001 where absent. */
  readonly lambda?: number;
  /** What differs from the original's recipe. */
  readonly recipe?: Partial<Recipe>;
  readonly seed?: number;
  readonly engine?: TrainingEngineName;
  /** `original` draws the layers of a DenseNet from its first 34 only. */
  readonly compat?: 'original';
  /** The device, threads and memory of refitting. */
  readonly device?: DeviceName;
  readonly workers?: number;
  readonly memory?: number;
  readonly onProgress?: OnProgress;
  readonly onLeftOut?: OnLeftOut;
}

/** What detectors, refitted on the weights after some epochs, do. */
export interface CoTrainedRow {
  /** Epochs of co-training; 0 before it. */
  readonly epoch: number;
  /** Share of the test images that the backbone classifies right. */
  readonly accuracy?: number;
  readonly evaluation: Evaluation;
}

export interface CoTrainReport {
  readonly epochs: readonly EpochReport[];
  readonly rows: readonly CoTrainedRow[];
  readonly recipe: Recipe;
  readonly engine: string;
  /** The file of the table, relative to the run folder; beside it lie the run folders `epoch-1`, …. */
  readonly table: string;
  readonly done: 'now' | 'before';
}

/** Weights are kept after these epochs, as in the original, and after the last. */
const KEPT = [1, 2, 3, 5];

/** The layers that the original draws from, where it has more. */
const ORIGINAL_DRAWS_FROM = 34;

const FOLDER = 'cotrain';

/**
 * LA-OOD's step 7: trains a run's backbone together with its detectors, which stay as they are, and keeps the weights
 * after some epochs. Each becomes a run folder of its own, `cotrain/epoch-1` …, in which features are computed, detectors
 * are refitted and evaluated on the sets of the run; a table compares them with what was before.
 *
 * Images are those that the run's features were computed of. Work that was cut off goes on where it was.
 *
 * @throws RunError where the run lacks a backbone, features, detectors or OOD sets; what `trainBackbone` throws
 *
 * @example
 * ```ts
 * import { RunFolder } from 'la-ood/guard';
 * import { coTrainRun } from 'la-ood/training';
 *
 * await RunFolder.use('runs/mine', (run) => coTrainRun(run, { lambda: 0.001 }));
 * ```
 */
export async function coTrainRun(run: RunFolder, options: CoTrainOptions = {}): Promise<CoTrainReport> {
  const { ind, lambda = 0.001, seed = 0, compat, device, workers, memory, onProgress, onLeftOut } = options;
  const engine = openTrainingEngine(options.engine);
  const where = run.file('backbone.onnx');
  const model = await readModel(where);
  const { architecture } = backboneMetadata(model, where);
  const { classes, preprocessing, size } = describeTrainable(model, where);
  const detectors = await detectorsOf(run, where);
  const sets = await setsOf(run, ind);
  const recipe: Recipe = { ...coTrainingRecipe(architecture), ...options.recipe };
  const drawFrom =
    compat && architecture?.startsWith('densenet')
      ? Math.min(ORIGINAL_DRAWS_FROM, detectors.length)
      : undefined;
  const kept = KEPT.filter((epoch) => epoch < recipe.epochs).concat(recipe.epochs);
  const backboneOf = (epoch: number) => `${FOLDER}/epoch-${epoch}/backbone.onnx`;
  const curves = [`${FOLDER}/curves.csv`, `${FOLDER}/curves.svg`];

  const before = await evaluateRun(run, { ind, compat, device, onProgress });
  const [train, test] = await Promise.all([sets.train, sets.test].map(openRecorded));
  const { record, done } = await run.do({
    name: FOLDER,
    settings: { ...recipe, lambda, seed, ...(drawFrom && { drawFrom }) },
    inputs: {
      backbone: await sha256File(where),
      detectors: await sha256File(run.file('detectors.onnx')),
      train: await train.fingerprint(),
      test: await test.fingerprint(),
    },
    run: async (key) => {
      const parts = (file: string) => run.file(`.${FOLDER}.${key.slice(0, 8)}`, file);
      const images = await LabeledImages.open(train, size, classes, onProgress);
      const taps = detectors.map(({ tap }) => tap);
      const epochs = await trainResumably({
        ...{ model, where, engine, preprocessing, recipe, seed, onProgress },
        train: images,
        test: await LabeledImages.open(test, size, classes, onProgress),
        checkpoint: parts('checkpoint.onnx'),
        coTraining: (maker) => ({
          ...{ detectors, lambda, drawFrom },
          scalers(epoch, now) {
            const order = new RandomState(seedOf(seed, streams.order, epoch)).permutation(images.length);
            const augmentation = augmentationOf(recipe, seed, streams.statistics, epoch);
            const batches = maker.batches(images, order, recipe.batch, augmentation);
            const task = `statistics of epoch ${epoch + 1}`;
            return pooledScalers(now, taps, batches, (done) =>
              onProgress?.({ task, done, total: images.length, unit: 'images' }),
            );
          },
        }),
        async keep(epochs, trained) {
          if (kept.includes(epochs.length)) await writeModel(parts(`epoch-${epochs.length}.onnx`), trained);
          await writeAtomically(run.file(curves[0]), curvesCsv(epochs));
          await writeAtomically(run.file(curves[1]), curvesChart('Co-training', epochs));
        },
      });
      for (const epoch of kept)
        await writeAtomically(run.file(backboneOf(epoch)), (part) =>
          copyFile(parts(`epoch-${epoch}.onnx`), part),
        );
      await rm(parts(''), { recursive: true });
      return { outputs: [...kept.map(backboneOf), ...curves], results: { epochs }, device: engine.name };
    },
  });

  const rows: CoTrainedRow[] = [
    { epoch: 0, accuracy: accuracyOf(run, sets.test), evaluation: before.evaluation },
  ];
  const fitting = fitSettings(run);
  for (const epoch of kept) {
    const tell: OnProgress = (progress) =>
      onProgress?.({ ...progress, task: `epoch ${epoch}: ${progress.task}` });
    const row = await RunFolder.use(run.file(FOLDER, `epoch-${epoch}`), async (after) => {
      const reading = { device, memory, onProgress: tell, onLeftOut, ...sets.reading };
      await extractFeatures(after, { train: sets.train, test: sets.test, ood: sets.ood, ...reading });
      await fitDetectors(after, {
        ...fitting,
        ind: sets.train.name,
        ...(workers && { workers }),
        ...(memory && { memory }),
        onProgress: tell,
      });
      const { evaluation } = await evaluateRun(after, {
        ind: sets.test.name,
        compat,
        device,
        onProgress: tell,
      });
      return { epoch, accuracy: accuracyOf(after, sets.test), evaluation };
    });
    rows.push(row);
  }
  const table = `${FOLDER}/comparison.csv`;
  await writeAtomically(run.file(table), comparisonCsv(rows));
  const { epochs } = record.results as { epochs: EpochReport[] };
  return { epochs, rows, recipe, engine: record.device!, table, done };
}

async function detectorsOf(run: RunFolder, backbone: string) {
  const path = run.file('detectors.onnx');
  if (!(await stat(path).catch(() => undefined)))
    throw new RunError(path, 'is missing', advice`run ${command('fit', option('run', run.path))} first`);
  return readDetectors(path, { sha256: await sha256File(backbone), backbone });
}

/** The sets that a run's features were computed of, and how they were read. */
async function setsOf(run: RunFolder, ind?: string) {
  const train = recordedSet(run, await featureFile(run, 'train', ind));
  const test = recordedSet(run, await featureFile(run, 'test', ind));
  const all = (await featureSets(run)).map((file) => recordedSet(run, file));
  const ood = all.filter(({ role }) => role === 'ood');
  return { train, test, ood, reading: train.reading };
}

function accuracyOf(run: RunFolder, { name }: NamedSet): number | undefined {
  return run.record(`features/${name}_test`)?.results.accuracy as number | undefined;
}

/** The settings that the run's detectors were fitted with, and their layers. */
function fitSettings(run: RunFolder): Partial<FitOptions> & { layers?: readonly string[] } {
  const settings = run.record('fit')?.settings ?? {};
  const names = [...Object.keys(defaultFitOptions), 'compat', 'layers'];
  return Object.fromEntries(Object.entries(settings).filter(([name]) => names.includes(name)));
}
