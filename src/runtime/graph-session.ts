import { once } from 'node:events';
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

/**
 * An ONNX graph, ready to run in a worker thread: onnxruntime's `run` blocks the thread that it is called on, so that
 * progress, decoding and Ctrl-C would stand still. Runs are executed one at a time, in the order of the calls.
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

  private constructor(worker: Worker, device: Device) {
    this.#worker = worker;
    this.device = device;
    worker.on('message', (message: FromSession) => this.#receive(message));
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new Error('the session was closed')));
  }

  /**
   * @param model a model, or the path of its file, which then is in memory once only
   * @throws DeviceError where a named device is not there
   */
  static async open(
    model: ModelProto | string,
    { device = 'auto', ...setting }: SessionOptions = {},
  ): Promise<GraphSession> {
    const bytes = typeof model === 'string' ? undefined : encodeModel(model);
    const worker = startWorker(import.meta.url, './graph-session.worker');
    const setup: SessionSetup = { model: bytes ?? (model as string), device, ...setting };
    // What shares its buffer with others is copied.
    const isOwn = bytes?.byteLength === bytes?.buffer.byteLength;
    worker.postMessage(
      { open: setup } satisfies ToSession,
      bytes && isOwn ? [bytes.buffer as ArrayBuffer] : [],
    );
    const [message] = (await once(worker, 'message')) as [FromSession];
    if ('ready' in message) return new GraphSession(worker, message.device);
    await endWorker(worker);
    if (!('failed' in message)) throw new Error('the session answered before it was asked');
    if (!message.mendable) throw new Error(message.error);
    throw new DeviceError(message.mendable.where, message.mendable.problem, message.mendable.remedy);
  }

  /**
   * Runs the graph.
   *
   * @param feeds the inputs by name; copied to the worker
   * @param outputs which outputs to fetch; all where absent
   */
  run(feeds: Tensors, outputs?: readonly string[]): Promise<Tensors> {
    if (this.#failure) return Promise.reject(this.#failure);
    const id = this.#runs++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, feeds, outputs } satisfies ToSession);
    });
  }

  /** Ends the worker once it has finished what it is at. Runs that are still waiting fail. */
  async close(): Promise<void> {
    await endWorker(this.#worker);
  }

  #receive(message: FromSession): void {
    if (!('id' in message)) return;
    const waiting = this.#waiting.get(message.id)!;
    this.#waiting.delete(message.id);
    if ('outputs' in message) waiting.resolve(message.outputs);
    else waiting.reject(new Error(message.error));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}
