import { once } from 'node:events';
import { mkdir, stat } from 'node:fs/promises';
import type { Worker } from 'node:worker_threads';
import { openFeatures } from '../../../converters/hdf5/open-features.ts';
import { advice, DetectorError, option } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import { endWorker, startWorker } from '../../common/workers.ts';
import { type FitOptions, fitMemory } from '../../detectors/layer-svm.ts';
import type { FeatureLayer } from '../features/feature-files.ts';
import type { LayerFailure, LayerTask } from './fit-svm.worker.ts';

const GIB = 2 ** 30;

export interface FitSvmsOptions {
  /** A feature file, and its number of samples. */
  readonly features: string;
  readonly samples: number;
  readonly layers: readonly FeatureLayer[];
  readonly settings: FitOptions;
  /** Folder of the detectors that are finished. */
  readonly parts: string;
  /** Threads in all. */
  readonly workers: number;
  /** Bytes that they may take together, beyond what the process has before. */
  readonly memory: number;
  readonly onProgress?: OnProgress;
}

/**
 * Fits the layers that have no file among the parts yet, and writes one for each.
 *
 * @returns the files, in the order of the layers
 * @throws DetectorError where a layer is not usable, or needs more memory by itself; FeatureError where the file is damaged
 */
export async function fitSvms(options: FitSvmsOptions): Promise<string[]> {
  const { samples, layers, settings, parts, workers, memory, onProgress } = options;
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
  const atOnce = Math.min(workers, missing.length, sideBySide(missing, samples, memory));
  // Where fewer layers than cores are at work, each takes several.
  const threads = Math.max(1, Math.floor(workers / atOnce));
  const features = await openFeatures(options.features);
  const pool = Array.from({ length: atOnce }, () => startWorker(import.meta.url, './fit-svm.worker'));
  const fitInTurn = async (worker: Worker) => {
    const ask = asking(worker);
    for (let layer = missing.shift(); layer; layer = missing.shift()) {
      const { index, tap, width } = layer;
      const failure = await ask({
        ...{ tap, features: features.readLayer(index), width },
        ...{ options: settings, target: target(layer), threads },
      });
      if (failure) throw new DetectorError(failure.where, failure.problem, failure.remedy);
      done++;
      tell(tap);
    }
  };
  try {
    await Promise.all(pool.map(fitInTurn));
  } finally {
    await Promise.all(pool.map(endWorker));
    features.close();
  }
  return layers.map(target);
}

/** How many layers fit into the memory at once, the widest first. */
function sideBySide(layers: readonly FeatureLayer[], samples: number, memory: number): number {
  if (layers.length === 0) return 0;
  const [{ tap, width }] = layers;
  const need = fitMemory(samples, width);
  if (need <= memory) return Math.floor(memory / need);
  const [needed, allowed] = [need, memory].map((bytes) => (bytes / GIB).toFixed(2));
  throw new DetectorError(
    `layer ${tap}`,
    `fitting ${samples} samples of width ${width} takes about ${needed} GiB, and ${allowed} are allowed`,
    advice`raise ${option('memory')}, or take fewer training images`,
  );
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
    worker.postMessage(task, [task.features.buffer as ArrayBuffer]);
    const [failure] = await Promise.race([once(worker, 'message'), gone]);
    return failure;
  };
}
