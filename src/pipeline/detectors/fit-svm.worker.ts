import { parentPort } from 'node:worker_threads';
import { DetectorError } from '../../common/errors.ts';
import { writeAtomically } from '../../common/files.ts';
import { onMessage } from '../../common/workers.ts';
import { detectorsModel } from '../../detectors/detectors-model.ts';
import { type FitOptions, LayerFitter } from '../../detectors/layer-svm.ts';
import { encodeModel } from '../../graph/write.ts';

export interface LayerTask {
  readonly tap: string;
  /** Of all samples, N x width. */
  readonly features: Float32Array;
  readonly width: number;
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

/** Fits one layer and writes its detector as an ONNX file of its own. */
async function fitLayer({
  tap,
  features,
  width,
  options,
  target,
  threads,
}: LayerTask): Promise<LayerFailure> {
  try {
    fitter ??= LayerFitter.open(threads);
    const detector = await (await fitter).fit(tap, features, width, options);
    await writeAtomically(target, encodeModel(detectorsModel([detector])));
    return undefined;
  } catch (error) {
    if (!(error instanceof DetectorError)) throw error;
    const { where, problem, remedy } = error;
    return { where, problem, remedy };
  }
}
