import { parentPort } from 'node:worker_threads';
import { openFeatures } from '../../../converters/hdf5/open-features.ts';
import { DetectorError } from '../../common/errors.ts';
import { writeAtomically } from '../../common/files.ts';
import { onMessage } from '../../common/workers.ts';
import { detectorsModel } from '../../detectors/detectors-model.ts';
import { type FitOptions, LayerFitter } from '../../detectors/layer-svm.ts';
import { encodeModel } from '../../graph/write.ts';

export interface LayerTask {
  readonly features: string;
  /** Number of the layer's dataset in the feature file. */
  readonly index: number;
  readonly tap: string;
  readonly options: FitOptions;
  /** Where to write the detector. */
  readonly target: string;
  /** Threads of one onnxruntime call, the same in all tasks. */
  readonly threads: number;
}

/** Why a layer could not be fitted, in the form that passes between threads; nothing where it was. */
export type LayerFailure = Pick<DetectorError, 'where' | 'problem' | 'remedy'> | undefined;

/** One fitter a thread: its onnxruntime sessions serve all layers that come here. */
let fitter: Promise<LayerFitter> | undefined;

onMessage(async (task: LayerTask) => parentPort!.postMessage(await fitLayer(task)));

/** Fits one layer of a feature file and writes its detector as an ONNX file of its own. */
async function fitLayer(task: LayerTask): Promise<LayerFailure> {
  const features = await openFeatures(task.features);
  try {
    fitter ??= LayerFitter.open(task.threads);
    const values = features.readLayer(task.index);
    const detector = await (await fitter).fit(task.tap, values, features.widths[task.index], task.options);
    await writeAtomically(task.target, encodeModel(detectorsModel([detector])));
    return undefined;
  } catch (error) {
    if (!(error instanceof DetectorError)) throw error;
    const { where, problem, remedy } = error;
    return { where, problem, remedy };
  } finally {
    features.close();
  }
}
