import { availableParallelism } from 'node:os';
import type { ModelProto } from '../graph/onnx.ts';
import type { Device, DeviceName } from './device.ts';
import { GraphSession, type Tensors } from './graph-session.ts';
import { planMemory } from './memory.ts';

/**
 * Sessions of one graph side by side, for throughput: on the CPU one single-threaded session a core, since the
 * layers of a small network are too short for several threads to share, or as many as the memory is for; on an accelerator
 * a single one.
 */
export class SessionPool {
  readonly #sessions: readonly GraphSession[];
  /** Runs that each session has been given and not finished. */
  readonly #load: number[];

  /** Images that a run may have, at most. */
  readonly largestBatch: number;

  private constructor(sessions: readonly GraphSession[], largestBatch: number) {
    this.#sessions = sessions;
    this.largestBatch = largestBatch;
    this.#load = sessions.map(() => 0);
  }

  /**
   * @param memory bytes that running it may take beyond the weights, on the CPU
   * @throws DeviceError where a named device is not there
   */
  static async open(model: ModelProto, wanted?: DeviceName, memory?: number): Promise<SessionPool> {
    const { sessions, largestBatch } = planMemory(model, memory);
    const threads = Math.ceil(availableParallelism() / sessions);
    const first = await GraphSession.open(model, { device: wanted, threads });
    if (first.device !== 'cpu') return new SessionPool([first], largestBatch);
    const others: GraphSession[] = [];
    // One after the other: while one opens, its model is in memory several times.
    while (others.length < sessions - 1)
      others.push(await GraphSession.open(model, { device: 'cpu', threads }));
    return new SessionPool([first, ...others], largestBatch);
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
