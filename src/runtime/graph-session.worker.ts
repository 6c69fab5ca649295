import { parentPort } from 'node:worker_threads';
import { collectGarbage } from '../common/collect.ts';
import { DeviceError } from '../common/errors.ts';
import { type DType, type Tensor, viewAs } from '../common/tensor.ts';
import { onMessage } from '../common/workers.ts';
import { type Device, type DeviceName, openOnDevice, type Setting } from './device.ts';
import * as ort from './onnxruntime.ts';

/** The thread behind a `GraphSession`: opens one session, then answers runs. */

export interface SessionSetup extends Setting {
  /** An encoded model, or the path of its file. */
  readonly model: Uint8Array | string;
  readonly device: DeviceName;
}

export type ToSession =
  | { readonly open: SessionSetup }
  | {
      readonly id: number;
      readonly feeds: Readonly<Record<string, Tensor>>;
      readonly outputs?: readonly string[];
    };

export type FromSession =
  | { readonly ready: true; readonly device: Device }
  | { readonly failed: true; readonly error: string; readonly mendable?: Mendable }
  | { readonly id: number; readonly outputs: Readonly<Record<string, Tensor>> }
  | { readonly id: number; readonly error: string };

/** Models whose bytes are given back at once when they are loaded. */
const LARGE = 2 ** 24;

/** A `DeviceError`, in the form that passes between threads. */
type Mendable = Pick<DeviceError, 'where' | 'problem' | 'remedy'>;

const port = parentPort!;
const send = (message: FromSession, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);
let session: ort.InferenceSession | undefined;

onMessage((message: ToSession) => {
  if ('open' in message) {
    open(message.open);
    return;
  }
  const { id, feeds, outputs } = message;
  run(session!, feeds, outputs).then(
    (results) => send({ id, outputs: results }, buffersOf(results)),
    (error: Error) => send({ id, error: error.message }),
  );
});

async function open({ model, device: wanted, ...setting }: SessionSetup): Promise<void> {
  try {
    const opened = await openOnDevice(model, wanted, setting);
    session = opened.session;
    send({ ready: true, device: opened.device });
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof DeviceError) {
      const { where, problem, remedy } = error;
      send({ failed: true, error: message, mendable: { where, problem, remedy } });
    } else send({ failed: true, error: message });
  }
  // The session has weights of its own.
  if (typeof model !== 'string' && model.byteLength > LARGE) setImmediate(collectGarbage);
}

async function run(
  session: ort.InferenceSession,
  feeds: Readonly<Record<string, Tensor>>,
  outputs?: readonly string[],
): Promise<Record<string, Tensor>> {
  const tensors = Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, shape, data }]) => [
      name,
      new ort.Tensor(dtype as 'float32', data as Float32Array, shape),
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
