import type { MessagePort } from 'node:worker_threads';
import type { Dataset, File, OutputData } from 'h5wasm/node';
import { loadHdf5 } from './hdf5.ts';
import { onMessage } from './workers.ts';

/** What the thread is started with. */
export interface Setup {
  /** Where it is asked and answers. */
  readonly port: MessagePort;
  /** One Int32, which becomes 1 with every answer. */
  readonly answered: SharedArrayBuffer;
}

/** A call of one of the {@link Operations} on a file, which is opened where it is not open yet. */
export interface Request {
  /** The same for all calls of one `Hdf5File`. */
  readonly file: number;
  readonly path: string;
  readonly operation: keyof Operations | 'close';
  readonly args: readonly unknown[];
}

/** What a call returned, or the error that it ended in. */
export type Answer =
  | { readonly value: unknown }
  | { readonly error: { readonly name: string; readonly message: string } };

export type Operations = typeof operations;

/** Bytes that HDF5 may take: three times the largest chunk that is read. */
const MAX_MEMORY = 768 << 20;

class OpenFile {
  readonly file: File;
  readonly names: readonly string[];
  readonly #datasets = new Map<string, Dataset | undefined>();

  constructor(
    readonly library: Awaited<ReturnType<typeof loadHdf5>>,
    path: string,
  ) {
    this.file = new library.File(path, 'r');
    this.names = this.file.keys();
  }

  /** A dataset of the root; undefined where there is none of that name. */
  dataset(name: string): Dataset | undefined {
    if (!this.#datasets.has(name)) {
      const found = this.names.includes(name) ? this.file.get(name) : undefined;
      this.#datasets.set(name, found instanceof this.library.Dataset ? found : undefined);
    }
    return this.#datasets.get(name);
  }
}

const operations = {
  /** The names in the root group. */
  names: ({ names }: OpenFile): readonly string[] => names,
  /** The root group's attributes that are texts or numbers. */
  attributes({ file }: OpenFile): Record<string, string | number> {
    const plain = Object.entries(file.attrs).map(([name, attribute]) => [name, attribute.json_value]);
    return Object.fromEntries(
      plain.filter(([, value]) => typeof value === 'string' || typeof value === 'number'),
    );
  },
  /** What the datasets of these names are; undefined where there is none. */
  datasets: (open: OpenFile, names: readonly string[]) =>
    names.map((name) => {
      const dataset = open.dataset(name);
      if (!dataset) return undefined;
      const { dtype, shape, metadata } = dataset;
      return { dtype, shape, chunks: metadata.chunks, valueBytes: metadata.size };
    }),
  /** The values of a dataset, or some of them: from where to before where, for each axis. */
  values(open: OpenFile, name: string, ranges?: [number, number][]): OutputData | null {
    const dataset = open.dataset(name)!;
    return ranges ? dataset.slice(ranges) : (dataset.value as OutputData | null);
  },
};

onMessage<Setup>(async ({ port, answered }) => {
  limitMemory();
  const library = await loadHdf5();
  const files = new Map<number, OpenFile>();
  const done = new Int32Array(answered);
  const answer = (message: Answer, transfer: ArrayBuffer[] = []) => {
    port.postMessage(message, transfer);
    Atomics.store(done, 0, 1);
    Atomics.notify(done, 0);
  };
  port.on('message', ({ file, path, operation, args }: Request) => {
    try {
      if (operation === 'close') {
        const open = files.get(file);
        files.delete(file);
        open?.file.close();
        return answer({ value: undefined });
      }
      const open = files.get(file) ?? new OpenFile(library, path);
      files.set(file, open);
      const value = (operations[operation] as (open: OpenFile, ...args: unknown[]) => unknown)(open, ...args);
      answer({ value }, ArrayBuffer.isView(value) ? [value.buffer as ArrayBuffer] : []);
    } catch (error) {
      const { name, message } = error as Error;
      answer({ error: { name, message } });
    }
  });
  answer({ value: undefined });
});

/** HDF5 allocates what a file claims, and memory of WebAssembly is no part of what a thread's limits count. */
function limitMemory(): void {
  const { prototype } = (WebAssembly as unknown as { Memory: { prototype: WebAssembly.Memory } }).Memory;
  const { grow } = prototype;
  prototype.grow = function (pages) {
    if (this.buffer.byteLength + 65536 * pages > MAX_MEMORY) throw new RangeError('too much for HDF5');
    return grow.call(this, pages);
  };
  // The library prints that it gets no more, and then says so by an error.
  console.error = () => {};
}
