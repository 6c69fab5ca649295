import { availableParallelism } from 'node:os';
import type { ModelProto } from '../graph/onnx.ts';
import type { Device, DeviceName } from './device.ts';
import { GraphSession, type Tensors } from './graph-session.ts';

/** Each session holds a copy of the weights: above this many bytes, one session uses all cores instead. */
const LARGEST_COPY = 256e6;

/**
 * Sessions of one graph side by side, for throughput: on the CPU one single-threaded session a core, since the
 * layers of a small network are too short for several threads to share; on an accelerator a single one.
 */
export class SessionPool {
  readonly #sessions: readonly GraphSession[];
  /** Runs that each session has been given and not finished. */
  readonly #load: number[];

  private constructor(sessions: readonly GraphSession[]) {
    this.#sessions = sessions;
    this.#load = sessions.map(() => 0);
  }

  /** @throws DeviceError where a named device is not there */
  static async open(model: ModelProto, wanted?: DeviceName): Promise<SessionPool> {
    const cores = availableParallelism();
    const weights = model.graph.initializer.reduce((sum, { rawData }) => sum + (rawData?.byteLength ?? 0), 0);
    const size = weights > LARGEST_COPY ? 1 : cores;
    const first = await GraphSession.open(model, { device: wanted, threads: cores / size });
    if (first.device !== 'cpu') return new SessionPool([first]);
    const others = Array.from({ length: size - 1 }, () =>
      GraphSession.open(model, { device: 'cpu', threads: 1 }),
    );
    return new SessionPool([first, ...(await Promise.all(others))]);
  }

  get device(): Device {
    return this.#sessions[0].device;
  }

  /** Runs that go on at the same time. */
  get size(): number {
    return this.#sessions.length;
  }

  /** Runs the graph on the session that has least to do. See `GraphSession.run`. */
  async run(feeds: Tensors, outputs?: readonly string[]): Promise<Tensors> {
    const least = this.#load.indexOf(Math.min(...this.#load));
    this.#load[least]++;
    try {
      return await this.#sessions[least].run(feeds, outputs);
    } finally {
      this.#load[least]--;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#sessions.map((session) => session.close()));
  }
}
