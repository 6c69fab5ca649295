import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { DeviceError } from '../common/errors.ts';
import type { Tensor } from '../common/tensor.ts';
import { endWorker, startWorker } from '../common/workers.ts';
import type { ModelProto } from '../graph/onnx.ts';
import { encodeModel } from '../graph/write.ts';
import type { Device, DeviceName, Setting } from './device.ts';
import type { FromSession, SessionSetup, ToSession } from './graph-session.worker.ts';

export interface SessionOptions extends Setting {
  readonly device?: DeviceName;
}

export type Tensors = Readonly<Record<string, Tensor>>;

const CLOSED = 'the session was closed';

/** Threads whose session was closed: the next one opens there, which is quicker than in a thread that has to start. */
const resting = new Set<Worker>();

/**
 * An ONNX graph, ready to run in a worker thread: onnxruntime's `run` blocks the thread that it is called on, so that
 * progress, decoding and Ctrl-C would stand still. Runs are executed one at a time, in the order of the calls. A session
 * that has nothing to do does not keep the process from ending, be it closed or not.
 */
export class GraphSession {
  readonly device: Device;
  readonly #worker: Worker;
  readonly #waiting = new Map<
    number,
    { resolve: (outputs: Tensors) => void; reject: (error: Error) => void }
  >();
  #runs = 0;
  #failure: Error | undefined;
  #closed: Promise<void> | undefined;
  #whenEnded = () => {};
  readonly #listeners = {
    message: (message: FromSession) => this.#receive(message),
    error: (error: Error) => this.#fail(error),
    exit: () => this.#fail(new Error(CLOSED)),
  };

  private constructor(worker: Worker, device: Device) {
    this.#worker = worker;
    this.device = device;
    for (const [event, listener] of Object.entries(this.#listeners)) worker.on(event, listener);
    worker.unref();
  }

  /**
   * @param model a model, or the path of its file, which then is in memory once only
   * @throws DeviceError where a named device is not there
   *
   * @example
   * ```ts
   * import { GraphSession } from 'la-ood/onnx';
   *
   * const session = await GraphSession.open('guarded.onnx');
   * const pixels = { dtype: 'uint8', shape: [1, 32, 32, 3], data: new Uint8Array(3072) } as const;
   * const { p_value } = await session.run({ pixels });
   * console.log(p_value.data);
   * await session.close();
   * ```
   */
  static async open(
    model: ModelProto | string,
    { device = 'auto', ...setting }: SessionOptions = {},
  ): Promise<GraphSession> {
    const bytes = typeof model === 'string' ? undefined : encodeModel(model);
    const setup: SessionSetup = { model: bytes ?? (model as string), device, ...setting };
    const worker = takeWorker();
    // What shares its buffer with others is copied.
    const isOwn = bytes?.byteLength === bytes?.buffer.byteLength;
    const transfer = bytes && isOwn ? [bytes.buffer as ArrayBuffer] : [];
    worker.postMessage({ open: setup } satisfies ToSession, transfer);
    const [message] = (await once(worker, 'message')) as [FromSession];
    if ('ready' in message) return new GraphSession(worker, message.device);
    rest(worker);
    if (!('failed' in message)) throw new Error('the session answered before it was asked');
    if (!message.mendable) throw new Error(message.error);
    const { where, option, problem, remedy } = message.mendable;
    throw new DeviceError(option ?? where, problem, remedy);
  }

  /**
   * Runs the graph.
   *
   * @param feeds the inputs by name; copied to the worker
   * @param outputs which outputs to fetch; all where absent
   */
  run(feeds: Tensors, outputs?: readonly string[]): Promise<Tensors> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#closed) return Promise.reject(new Error(CLOSED));
    const id = this.#runs++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage({ id, feeds, outputs } satisfies ToSession);
    });
  }

  /** Closes the session once it has finished what it is at. Runs that are still waiting fail. */
  close(): Promise<void> {
    if (this.#failure) return Promise.resolve();
    this.#closed ??= new Promise((resolve) => {
      this.#whenEnded = resolve;
      this.#worker.ref();
      this.#worker.postMessage({ close: true } satisfies ToSession);
    });
    return this.#closed;
  }

  #receive(message: FromSession): void {
    if ('closed' in message) this.#leave();
    if (!('id' in message)) return;
    const waiting = this.#waiting.get(message.id)!;
    this.#waiting.delete(message.id);
    if (this.#waiting.size === 0 && !this.#closed) this.#worker.unref();
    if ('outputs' in message) waiting.resolve(message.outputs);
    else waiting.reject(new Error(message.error));
  }

  /** Leaves the thread to the next session. */
  #leave(): void {
    for (const [event, listener] of Object.entries(this.#listeners)) this.#worker.off(event, listener);
    rest(this.#worker);
    this.#fail(new Error(CLOSED));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
    this.#whenEnded();
  }
}

function takeWorker(): Worker {
  const [rested] = resting;
  if (rested) {
    resting.delete(rested);
    rested.ref();
    return rested;
  }
  const worker = startWorker(import.meta.url, './graph-session.worker');
  worker.once('exit', () => resting.delete(worker));
  return worker;
}

/** Keeps a thread for the next session, as many as there are cores. They do not keep the process from ending. */
function rest(worker: Worker): void {
  if (resting.size >= availableParallelism()) {
    endWorker(worker);
    return;
  }
  worker.unref();
  resting.add(worker);
}
