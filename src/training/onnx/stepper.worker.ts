import { parentPort, workerData } from 'node:worker_threads';
import type { DType, Tensor } from '../../common/tensor.ts';
import { onMessage } from '../../common/workers.ts';
import { nextOf } from '../../graph/gradient/output-names.ts';
import * as ort from '../../runtime/onnxruntime.ts';
import { openOnDevice } from '../../runtime/open-on-device.ts';

/** The thread that runs the steps of a training. The state stays here from step to step. */

export interface StepperSetup {
  /** A graph that takes the state under its names, and gives the next one under `next/` and its names. */
  readonly model: Uint8Array;
  readonly state: Readonly<Record<string, Tensor>>;
  /** Outputs that are told after each step. */
  readonly told: readonly string[];
}

/** Take a step, or tell the state. */
export type ToStepper = { readonly feeds: Readonly<Record<string, Tensor>> } | { readonly state: true };

export type FromStepper = { readonly tensors: Readonly<Record<string, Tensor>> } | { readonly error: string };

const { model, state: initial, told } = workerData as StepperSetup;

const opening = openOnDevice(model, 'cpu');
/** What goes into the next step, and what comes out of it is written to: they change places after each. */
let [state, spare] = [initial, initial].map((tensors) => toOrt(copied(tensors)));

onMessage(async (message: ToStepper) => {
  try {
    answer({ tensors: 'state' in message ? copied(fromOrt(state)) : await takeStep(message.feeds) });
  } catch (error) {
    answer({ error: (error as Error).message });
  }
});

async function takeStep(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
  const { session } = await opening;
  const fetches: ort.InferenceSession.FetchesType = Object.fromEntries([
    ...told.map((name) => [name, null]),
    ...Object.entries(spare).map(([name, tensor]) => [nextOf(name), tensor]),
  ]);
  const results = await session.run({ ...toOrt(feeds), ...state }, fetches);
  [state, spare] = [spare, state];
  return fromOrt(Object.fromEntries(told.map((name) => [name, results[name]])));
}

function answer(message: FromStepper): void {
  parentPort!.postMessage(message);
}

function copied(tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name, { ...tensor, data: tensor.data.slice() }]),
  );
}

function toOrt(tensors: Readonly<Record<string, Tensor>>): Record<string, ort.Tensor> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { dtype, shape, data }]) => [
      name,
      ort.tensor(dtype as 'float32', data as Float32Array, shape),
    ]),
  );
}

function fromOrt(tensors: Readonly<Record<string, ort.Tensor>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { type, dims, data }]) => [
      name,
      { dtype: type as DType, shape: dims, data: data as Float32Array },
    ]),
  );
}
