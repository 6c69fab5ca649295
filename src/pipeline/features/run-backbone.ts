import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { ImageSet } from '../../../data/image-set.ts';
import { advice, command, RunError } from '../../common/errors.ts';
import { sha256File } from '../../common/files.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { Tensor } from '../../common/tensor.ts';
import { readModel } from '../../graph/read.ts';
import { fastestBatchSize } from '../../runtime/batch-size.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { DEFAULT_MEMORY } from '../../runtime/memory.ts';
import { SessionPool } from '../../runtime/session-pool.ts';
import type { RunFolder } from '../run-folder.ts';
import { type FeatureGraph, featureGraph } from './feature-graph.ts';

export interface BackboneRunOptions {
  readonly device?: DeviceName;
  /** Images a run; the fastest number on this machine where absent. */
  readonly batch?: number;
  /** Bytes that running it may take beyond its weights; 2 GiB where absent. */
  readonly memory?: number;
  /** Taps whose standard deviation over positions is wanted too; see `featureGraph`. */
  readonly deviations?: readonly string[] | 'all';
  readonly onProgress?: OnProgress;
}

/** A run's backbone; its session is opened when the first image needs it. */
export class RunBackbone {
  readonly graph: FeatureGraph;
  readonly sha256: string;
  readonly #run: RunFolder;
  readonly #options: BackboneRunOptions;
  #pool: Promise<SessionPool> | undefined;
  #batch: Promise<number> | undefined;

  private constructor(run: RunFolder, graph: FeatureGraph, sha256: string, options: BackboneRunOptions) {
    this.#run = run;
    this.graph = graph;
    this.sha256 = sha256;
    this.#options = options;
  }

  /** @throws RunError where the folder has none; GraphError where it is unusable */
  static async open(run: RunFolder, options: BackboneRunOptions): Promise<RunBackbone> {
    const path = run.file('backbone.onnx');
    if (!(await stat(path).catch(() => undefined)))
      throw new RunError(
        path,
        'is missing',
        advice`make it: ${command('import', 'CHECKPOINT_OR_MODEL', path)}`,
      );
    const graph = featureGraph(await readModel(path), path, options.deviations);
    return new RunBackbone(run, graph, await sha256File(path), options);
  }

  async run(pixels: Uint8Array, count: number) {
    return (await this.#open()).run({ pixels: this.#tensor(pixels, count) }, this.graph.taps);
  }

  /**
   * The graph's own batch size, the one asked for, or the fastest one, measured on the set's first image, once for a run
   * folder: its manifest has it, as the step `batch size`.
   */
  batchSize(images: ImageSet): Promise<number> {
    const set = this.graph.batch ?? this.#options.batch;
    this.#batch ??= set ? Promise.resolve(set) : this.#measuredBatchSize(images);
    return this.#batch;
  }

  async #measuredBatchSize(images: ImageSet): Promise<number> {
    const { device = 'auto', memory = DEFAULT_MEMORY, onProgress } = this.#options;
    const { record } = await this.#run.do({
      name: 'batch size',
      settings: { device, memory, cores: availableParallelism() },
      inputs: { backbone: this.sha256 },
      run: async () => {
        const pool = await this.#open();
        const image = await images.read(0, 1, this.graph.size);
        const copies = (count: number) => Buffer.concat(Array.from({ length: count }, () => image));
        const feedsOf = (count: number) => ({ pixels: this.#tensor(copies(count), count) });
        const batch = await fastestBatchSize(pool, feedsOf, onProgress);
        return { outputs: [], results: { batch, largest: pool.largestBatch, sessions: pool.size } };
      },
    });
    return record.results.batch as number;
  }

  /** Runs that go on at the same time. */
  async parallelRuns(): Promise<number> {
    return (await this.#open()).size;
  }

  /** The device that it runs on. */
  async device(): Promise<string> {
    return (await this.#open()).device;
  }

  async close(): Promise<void> {
    await (await this.#pool)?.close();
  }

  #open(): Promise<SessionPool> {
    this.#pool ??= SessionPool.open(this.graph.model, this.#options.device, this.#options.memory);
    return this.#pool;
  }

  #tensor(pixels: Uint8Array, count: number): Tensor {
    const { height, width } = this.graph.size;
    return { dtype: 'uint8', shape: [count, height, width, 3], data: pixels };
  }
}
