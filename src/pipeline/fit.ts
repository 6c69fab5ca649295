import { once } from 'node:events';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { type FeatureFile, openFeatures } from '../../converters/hdf5/features.ts';
import { toCsv } from '../common/csv.ts';
import { DetectorError, UsageError } from '../common/errors.ts';
import { sha256File, writeAtomically } from '../common/files.ts';
import type { OnProgress } from '../common/progress.ts';
import { nearestName } from '../common/suggest.ts';
import { endWorker, startWorker } from '../common/workers.ts';
import { BACKBONE_KEY, detectorsModel, detectorsOfModel } from '../detectors/detectors-model.ts';
import { defaultFitOptions, type FitOptions, type LayerDetector } from '../detectors/fit-layer.ts';
import { decodeModel } from '../graph/read.ts';
import { writeModel } from '../graph/write.ts';
import { type FeatureLayer, featureFile, featureLayers } from './feature-files.ts';
import type { LayerFailure, LayerTask } from './fit-layer.worker.ts';
import type { RunFolder } from './run-folder.ts';

export interface FitDetectorsOptions extends Partial<FitOptions> {
  /** Name of the InD set; the one whose training features the run folder has, where absent. */
  readonly ind?: string;
  /** The layers that get a detector, by tap or number from 0; the backbone's default where absent. */
  readonly layers?: readonly string[];
  /** Threads that fit layers side by side; as many as there are cores where absent. */
  readonly workers?: number;
  readonly onProgress?: OnProgress;
}

export interface FitDetectorsReport {
  readonly detectors: readonly LayerDetector[];
  readonly samples: number;
  readonly seconds: number;
  readonly done: 'now' | 'before';
}

/**
 * Fits a detector on each layer of a run folder's InD training features, and writes `detectors.onnx`,
 * `best_hyperparam.csv` and `fitting_process.csv`. Layers that were fitted before an interruption are kept.
 *
 * @throws RunError where there are no features; DetectorError where a layer is not usable
 */
export async function fitDetectors(
  run: RunFolder,
  options: FitDetectorsOptions = {},
): Promise<FitDetectorsReport> {
  const { ind, layers: wanted, workers = availableParallelism(), onProgress, ...given } = options;
  const settings: FitOptions = { ...defaultFitOptions, ...given };
  const path = await featureFile(run, 'train', ind);
  const features = await openFeatures(path);
  const layers = chooseLayers(features, wanted);
  const { count: samples, attributes } = features;
  features.close();

  const { record, done } = await run.do({
    name: 'fit',
    settings: { ...settings, layers: layers.map(({ tap }) => tap) },
    inputs: { features: await sha256File(path) },
    run: async (key) => {
      const parts = run.file(`.fit.${key.slice(0, 8)}`);
      const fitted = await fitLayers(path, layers, settings, parts, workers, onProgress);
      const { backbone_sha256: backbone } = attributes;
      const metadata = typeof backbone === 'string' ? { [BACKBONE_KEY]: backbone } : undefined;
      await writeModel(run.file('detectors.onnx'), detectorsModel(fitted, metadata));
      await writeAtomically(run.file('best_hyperparam.csv'), hyperparameterCsv(fitted, layers));
      await writeAtomically(run.file('fitting_process.csv'), processCsv(fitted, layers));
      await rm(parts, { recursive: true });
      return { outputs: ['detectors.onnx', 'best_hyperparam.csv', 'fitting_process.csv'] };
    },
  });
  const detectors = await readDetectors(run.file('detectors.onnx'));
  return { detectors, samples, seconds: record.seconds, done };
}

/** The detectors of a `detectors.onnx`. */
export async function readDetectors(path: string): Promise<LayerDetector[]> {
  return detectorsOfModel(decodeModel(await readFile(path), path), path);
}

/** Fits the layers that have no file among `parts` yet, and reads them all. */
async function fitLayers(
  features: string,
  layers: readonly FeatureLayer[],
  options: FitOptions,
  parts: string,
  workers: number,
  onProgress?: OnProgress,
): Promise<LayerDetector[]> {
  await mkdir(parts, { recursive: true });
  const target = ({ index }: FeatureLayer) => `${parts}/${String(index).padStart(4, '0')}.onnx`;
  const missing: FeatureLayer[] = [];
  for (const layer of layers) if (!(await stat(target(layer)).catch(() => undefined))) missing.push(layer);
  // The widest take longest: begun last, one would keep a single core busy at the end.
  missing.sort((a, b) => b.width - a.width);

  let done = layers.length - missing.length;
  const tell = (note?: string) =>
    onProgress?.({ task: 'fit', done, total: layers.length, unit: 'layers', note });
  tell();
  const pool = Array.from({ length: Math.min(workers, missing.length) }, () =>
    startWorker(import.meta.url, './fit-layer.worker'),
  );
  const fitInTurn = async (worker: Worker) => {
    const ask = asking(worker);
    for (let layer = missing.shift(); layer; layer = missing.shift()) {
      const { index, tap } = layer;
      const failure = await ask({ features, index, tap, options, target: target(layer) });
      if (failure) throw new DetectorError(failure.where, failure.problem, failure.remedy);
      done++;
      tell(tap);
    }
  };
  try {
    await Promise.all(pool.map(fitInTurn));
  } finally {
    await Promise.all(pool.map(endWorker));
  }
  return Promise.all(layers.map(async (layer) => (await readDetectors(target(layer)))[0]));
}

/** A function that sends a worker one task after the other, and waits for its answers. */
function asking(worker: Worker): (task: LayerTask) => Promise<LayerFailure> {
  const gone = new Promise<never>((_, reject) => {
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('a worker ended before its layer was fitted')));
  });
  // At the end it goes as it should, and nobody waits for it any more.
  gone.catch(() => {});
  return async (task) => {
    worker.postMessage(task);
    const [failure] = await Promise.race([once(worker, 'message'), gone]);
    return failure;
  };
}

function chooseLayers(features: FeatureFile, wanted?: readonly string[]): FeatureLayer[] {
  const layers = featureLayers(features);
  if (!wanted) return layers.filter(({ hasDetector }) => hasDetector);
  return wanted.map((name) => {
    const layer = layers.find(({ tap, index }) => tap === name || String(index) === name);
    if (layer) return layer;
    const nearest = nearestName(
      name,
      layers.map(({ tap }) => tap),
    );
    throw new UsageError(
      `layer ${name}`,
      'there is none of that name',
      nearest ? `did you mean ${nearest}?` : `layers are numbered 0 to ${layers.length - 1}`,
    );
  });
}

/** The original's table of what was chosen; layers are numbered from 1. */
function hyperparameterCsv(detectors: readonly LayerDetector[], layers: readonly FeatureLayer[]): string {
  return toCsv([
    ['Layer', 'Tap', 'nu', 'gamma', 'error'],
    ...detectors.map(({ tap, nu, gamma, fit }, l) => [
      layers[l].index + 1,
      tap,
      nu,
      gamma,
      fit.error.toFixed(4),
    ]),
  ]);
}

/** Every candidate for γ, and which of them were the best so far: those are the rows that the original writes. */
function processCsv(detectors: readonly LayerDetector[], layers: readonly FeatureLayer[]): string {
  const rows = detectors.flatMap(({ nu, fit }, l) => {
    let best = 1;
    return fit.trials.map(({ gamma, supportVectors, errorOod, errorInd, error }) => {
      const improved = error < best;
      best = Math.min(best, error);
      const errors = [errorOod, errorInd, error].map((value) => value.toFixed(4));
      return [layers[l].index + 1, nu, gamma, supportVectors, ...errors, improved ? 'yes' : 'no'];
    });
  });
  return toCsv([
    ['Layer', 'nu', 'gamma', 'support vectors', 'error OOD', 'error InD', 'error', 'improvement'],
    ...rows,
  ]);
}
