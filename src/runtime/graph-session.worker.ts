import { parentPort } from 'node:worker_threads';
import { collectGarbage } from '../common/collect.ts';
import { DeviceError } from '../common/errors.ts';
import { type DType, type Tensor, viewAs } from '../common/tensor.ts';
import { onMessage } from '../common/workers.ts';
import type { Device, DeviceName, Setting } from './device.ts';
import * as ort from './onnxruntime.ts';
import { openOnDevice } from './open-on-device.ts';

/** A thread behind one `GraphSession` after the other: opens a session, answers its runs, and closes it. */

export interface SessionSetup extends Setting {
  /** An encoded model, or the path of its file. */
  readonly model: Uint8Array | string;
  readonly device: DeviceName;
}

interface Run {
  readonly id: number;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly outputs?: readonly string[];
}

export type ToSession = { readonly open: SessionSetup } | Run | { readonly close: true };

export type FromSession =
  | { readonly ready: true; readonly device: Device }
  | { readonly failed: true; readonly error: string; readonly mendable?: Mendable }
  | { readonly id: number; readonly outputs: Readonly<Record<string, Tensor>> }
  | { readonly id: number; readonly error: string }
  | { readonly closed: true };

/** A `DeviceError`, in the form that passes between threads. */
type Mendable = Pick<DeviceError, 'where' | 'option' | 'problem' | 'remedy'>;

const send = (message: FromSession, transfer: ArrayBuffer[] = []) =>
  parentPort!.postMessage(message, transfer);

let session: ort.InferenceSession;
/** Runs that are not answered yet. */
const running = new Set<Promise<void>>();

onMessage((message: ToSession) => {
  if ('open' in message) return open(message.open);
  if ('close' in message) return close();
  const answered: Promise<void> = answer(message).finally(() => running.delete(answered));
  running.add(answered);
});

async function open({ model, device: wanted, ...setting }: SessionSetup): Promise<void> {
  try {
    const opened = await openOnDevice(model, wanted, setting);
    session = opened.session;
    send({ ready: true, device: opened.device });
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof DeviceError) {
      const { where, option, problem, remedy } = error;
      send({ failed: true, error: message, mendable: { where, option, problem, remedy } });
    } else send({ failed: true, error: message });
  }
  // The session has weights of its own.
  setImmediate(collectGarbage);
}

/** Runs that have not begun fail, and are answered before the next session opens. */
async function close(): Promise<void> {
  await session.release();
  await Promise.all(running);
  send({ closed: true });
}

async function answer({ id, feeds, outputs }: Run): Promise<void> {
  try {
    const results = await run(feeds, outputs);
    send({ id, outputs: results }, buffersOf(results));
  } catch (error) {
    send({ id, error: (error as Error).message });
  }
}

async function run(
  feeds: Readonly<Record<string, Tensor>>,
  outputs?: readonly string[],
): Promise<Record<string, Tensor>> {
  const tensors = Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, shape, data }]) => [
      name,
      ort.tensor(dtype as 'float32', data as Float32Array, shape),
    ]),
  );
  const results = outputs ? await session.run(tensors, outputs) : await session.run(tensors);
  return Object.fromEntries(
    Object.entries(results).map(([name, { type, dims, data }]) => [
      name,
      { dtype: type as DType, shape: dims, data: ownBuffer(type as DType, data as Uint8Array) },
    ]),
  );
}

/** Each output in a buffer of its own, so that it can be handed over without a copy. */
function ownBuffer(dtype: DType, data: Uint8Array): Tensor['data'] {
  const { buffer, byteOffset, byteLength } = data;
  const whole = byteOffset === 0 && byteLength === buffer.byteLength;
  return whole
    ? (data as Tensor['data'])
    : viewAs(dtype, new Uint8Array(buffer, byteOffset, byteLength).slice());
}

function buffersOf(outputs: Readonly<Record<string, Tensor>>): ArrayBuffer[] {
  return [...new Set(Object.values(outputs).map(({ data }) => data.buffer as ArrayBuffer))];
}
