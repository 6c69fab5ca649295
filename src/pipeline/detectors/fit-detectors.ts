import { rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { openFeatures } from '../../../converters/hdf5/open-features.ts';
import { DetectorError } from '../../common/errors.ts';
import { sha256Files, writeAtomically } from '../../common/files.ts';
import type { OnProgress } from '../../common/progress.ts';
import { BACKBONE_KEY, detectorsModel } from '../../detectors/detectors-model.ts';
import { defaultFitOptions, type FitOptions, type FittedLayerSvm } from '../../detectors/layer-svm.ts';
import { writeModel } from '../../graph/write.ts';
import { chooseLayers, featureFile } from '../features/feature-files.ts';
import { type OnLeftOut, tellLeftOut } from '../open-images.ts';
import type { RunFolder } from '../run-folder.ts';
import { fitSvms } from './fit-svms.ts';
import { hyperparameterCsv, processCsv } from './fit-tables.ts';
import { readDetectors } from './read-detectors.ts';

export interface FitDetectorsOptions extends Partial<FitOptions> {
  /** Name of the InD set; the one whose training features the run folder has, where absent. */
  readonly ind?: string;
  /** The layers that get a detector, by tap or number from 0; the backbone's default where absent. */
  readonly layers?: readonly string[];
  /** Threads in all; as many as there are cores where absent. */
  readonly workers?: number;
  /** Bytes that fitting may take beyond what the process has before, 4 GiB where absent; fewer layers run side by side. */
  readonly memory?: number;
  readonly onProgress?: OnProgress;
  readonly onLeftOut?: OnLeftOut;
}

export interface FitDetectorsReport {
  readonly detectors: readonly FittedLayerSvm[];
  readonly samples: number;
  readonly seconds: number;
  readonly done: 'now' | 'before';
}

/**
 * Fits a detector on each layer of a run folder's InD training features, and writes `detectors.onnx`,
 * `best_hyperparam.csv` and `fitting_process.csv`. Layers that were fitted before an interruption are kept.
 *
 * @throws RunError where there are no features; DetectorError where a layer is not usable
 *
 * @example
 * ```ts
 * import { fitDetectors, RunFolder } from 'la-ood/guard';
 *
 * const { detectors, samples } = await RunFolder.use('runs/mine', (run) => fitDetectors(run, { nu: 0.01 }));
 * for (const { tap, gamma } of detectors) console.log(tap, gamma, samples);
 * ```
 */
export async function fitDetectors(
  run: RunFolder,
  options: FitDetectorsOptions = {},
): Promise<FitDetectorsReport> {
  const {
    ind,
    layers: wanted,
    workers = availableParallelism(),
    memory = 2 ** 32,
    onProgress,
    onLeftOut,
    ...given
  } = options;
  const settings: FitOptions = { ...defaultFitOptions, ...given };
  const path = await featureFile(run, 'train', ind);
  tellLeftOut(run, [path], onLeftOut);
  const features = await openFeatures(path);
  const layers = chooseLayers(features, wanted);
  const { count: samples, attributes } = features;
  features.close();

  const [hash] = await sha256Files([path], onProgress);
  const { record, done } = await run.do({
    name: 'fit',
    settings: { ...settings, layers: layers.map(({ tap }) => tap) },
    inputs: { features: hash! },
    run: async (key) => {
      const parts = run.file(`.fit.${key.slice(0, 8)}`);
      const files = await fitSvms({
        features: path,
        samples,
        layers,
        settings,
        parts,
        workers,
        memory,
        onProgress,
      });
      const fitted = await Promise.all(files.map(readFitted)).then((each) => each.flat());
      const { backbone_sha256: backbone } = attributes;
      const metadata = typeof backbone === 'string' ? { [BACKBONE_KEY]: backbone } : undefined;
      await writeModel(run.file('detectors.onnx'), detectorsModel(fitted.map(timeless), metadata));
      await writeAtomically(run.file('best_hyperparam.csv'), hyperparameterCsv(fitted, layers));
      await writeAtomically(run.file('fitting_process.csv'), processCsv(fitted, layers));
      await rm(parts, { recursive: true });
      const seconds = Object.fromEntries(fitted.map((detector) => [detector.tap, total(detector)]));
      return {
        outputs: ['detectors.onnx', 'best_hyperparam.csv', 'fitting_process.csv'],
        results: { seconds },
      };
    },
  });
  const detectors = await readFitted(run.file('detectors.onnx'));
  return { detectors, samples, seconds: record.seconds, done };
}

/** A detector without the times of its fit, so that what is written is the same every time. */
function timeless(detector: FittedLayerSvm): FittedLayerSvm {
  const { seconds: _, ...fit } = detector.fit;
  return { ...detector, fit };
}

function total({ fit: { seconds } }: FittedLayerSvm): number | undefined {
  return seconds && seconds.shifting + seconds.grid + seconds.refit;
}

async function readFitted(path: string): Promise<FittedLayerSvm[]> {
  return (await readDetectors(path)).map((detector) => {
    const { fit } = detector;
    if (!fit)
      throw new DetectorError(
        path,
        `layer ${detector.tap} was not fitted here`,
        'remove the file and fit again',
      );
    return { ...detector, fit };
  });
}
