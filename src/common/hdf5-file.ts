import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads';
import { Hdf5Refusal } from './hdf5.ts';
import type { Answer, Operations, Request, Setup } from './hdf5.worker.ts';
import { startWorker } from './workers.ts';

/** How long a call may take, and how much longer for each byte of the file: a second a MiB. */
const LEAST_MS = 3000;
const MS_A_BYTE = 1000 / (1 << 20);

/** How long the thread may take to start, on a machine that does other things. */
const START_MS = 120_000;

/** Deflate, HDF5's closest packing, makes 1032 bytes of one; below this many bytes nothing is refused. */
const MAX_PACKING = 1100;
const ALWAYS_ALLOWED = 1 << 26;

let files = 0;
let thread: Hdf5Thread | undefined;

/** What a dataset of an HDF5 file is. */
export type DatasetFacts = NonNullable<ReturnType<Operations['datasets']>[number]>;

/**
 * An HDF5 file that is read. The library works in a thread, which is ended where a call takes longer than the file's bytes
 * can account for: a damaged file can keep it busy for ever. Calls wait for the thread, and throw what the library throws;
 * tell it in one line by `calling`. Close the file when done.
 */
export class Hdf5File {
  /** The names in the root group. */
  readonly names: readonly string[];
  readonly #path: string;
  readonly #number = files++;
  readonly #bytes: number;

  constructor(path: string) {
    this.#path = resolve(path);
    this.#bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    // Opens it.
    this.names = this.#call('names') as readonly string[];
  }

  /** The root group's attributes that are texts or numbers. */
  attributes(): Record<string, string | number> {
    return this.#call('attributes') as Record<string, string | number>;
  }

  /** A dataset of the root group; undefined where there is none of that name. */
  dataset(name: string): DatasetFacts | undefined {
    return this.datasets([name])[0];
  }

  /** Several of them, in one call: on a machine that does other things, the thread is waited for longer than it works. */
  datasets(names: readonly string[]): (DatasetFacts | undefined)[] {
    const all = this.#call('datasets', names) as (DatasetFacts | undefined)[];
    for (const [i, facts] of all.entries()) {
      const claimed = (facts?.shape ?? []).reduce((product, size) => product * size, facts?.valueBytes ?? 0);
      if (claimed > Math.max(ALWAYS_ALLOWED, MAX_PACKING * this.#bytes))
        throw new Hdf5Refusal(`claims ${claimed} bytes of ${names[i]} in a file of ${this.#bytes}`);
    }
    return all;
  }

  /**
   * The values of a dataset, row-major.
   *
   * @param ranges the part of it that is wanted, from where to before where, for each axis; all where absent
   */
  values(name: string, ranges?: readonly (readonly [number, number])[]): unknown {
    return this.#call('values', name, ranges);
  }

  close(): void {
    // A thread that was ended has closed all files.
    if (thread) this.#call('close');
  }

  #call(operation: Request['operation'], ...args: unknown[]): unknown {
    thread ??= new Hdf5Thread();
    const request = { file: this.#number, path: this.#path, operation, args };
    return thread.call(request, LEAST_MS + MS_A_BYTE * this.#bytes);
  }
}

/** The thread in which all files of this one are read. */
class Hdf5Thread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #answered: Int32Array<SharedArrayBuffer>;

  constructor() {
    const channel = new MessageChannel();
    this.#port = channel.port1;
    this.#answered = new Int32Array(new SharedArrayBuffer(4));
    this.#worker = startWorker(import.meta.url, './hdf5.worker', undefined, {
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    });
    // Where it ends by itself, its memory is full; whoever waits is told of the time.
    this.#worker.on('error', () => {});
    this.#worker.once('exit', () => this.#forget());
    // A file that somebody leaves open does not keep the process alive.
    this.#worker.unref();
    const setup: Setup = { port: channel.port2, answered: this.#answered.buffer };
    this.#worker.postMessage(setup, [channel.port2]);
    this.#wait(START_MS);
  }

  call(request: Request, limit: number): unknown {
    Atomics.store(this.#answered, 0, 0);
    this.#port.postMessage(request);
    const answer = this.#wait(limit);
    if ('value' in answer) return answer.value;
    const { name, message } = answer.error;
    // After a trap the library's memory is in no state to go on with.
    if (name === 'RuntimeError') this.#end();
    // h5wasm's own, as where an attribute's name is no UTF-8.
    if (name === 'Error' && !message.startsWith('HDF5-DIAG')) throw new Hdf5Refusal(message);
    throw Object.assign(new Error(message), { name });
  }

  #wait(limit: number): Answer {
    // The thread may notify of the answer before only after it was received: that is none of this one.
    while (Atomics.load(this.#answered, 0) === 0) {
      if (Atomics.wait(this.#answered, 0, 0, limit) !== 'timed-out') continue;
      this.#end();
      throw new Hdf5Refusal(`keeps the HDF5 library busy for more than ${Math.round(limit / 1000)} s`);
    }
    return receiveMessageOnPort(this.#port)!.message;
  }

  #end(): void {
    this.#forget();
    void this.#worker.terminate();
  }

  #forget(): void {
    if (thread === this) thread = undefined;
  }
}
