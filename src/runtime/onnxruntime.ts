import { createRequire } from 'node:module';
import type * as Onnxruntime from 'onnxruntime-node';

export type { InferenceSession, Tensor } from 'onnxruntime-node';

const require = createRequire(import.meta.url);
let loaded: typeof Onnxruntime | undefined;

/** onnxruntime, loaded by what uses it first, and set up before: its settings are read once a process, by the first session. */
export function onnxruntime(): typeof Onnxruntime {
  if (!loaded) {
    loaded = require('onnxruntime-node') as typeof Onnxruntime;
    // A provider that cannot be loaded is said once, by an error or by falling back; not on standard error besides.
    loaded.env.logLevel = 'fatal';
  }
  return loaded;
}

/** Its version, without loading it. */
export const onnxruntimeVersion: string = require('onnxruntime-node/package.json').version;

/** @param model an encoded model, or the path of its file */
export function openSession(
  model: Uint8Array | string,
  options?: Onnxruntime.InferenceSession.SessionOptions,
): Promise<Onnxruntime.InferenceSession> {
  const { InferenceSession } = onnxruntime();
  return typeof model === 'string'
    ? InferenceSession.create(model, options)
    : InferenceSession.create(model, options);
}

export function tensor<T extends Onnxruntime.Tensor.Type>(
  type: T,
  data: Onnxruntime.Tensor.DataTypeMap[T],
  shape: readonly number[],
): Onnxruntime.TypedTensor<T> {
  const { Tensor } = onnxruntime();
  return new Tensor(type as 'float32', data as Float32Array, shape) as Onnxruntime.TypedTensor<T>;
}

/**
 * Options of a session that shares its threads with others in turn: its own threads rest as soon as a call ends. They
 * would spin for the next one otherwise, and keep a core from the session that is at work.
 */
export function takingTurns(threads: number): Onnxruntime.InferenceSession.SessionOptions {
  const extra = { session: { force_spinning_stop: '1' } };
  return { intraOpNumThreads: threads, interOpNumThreads: 1, extra };
}
