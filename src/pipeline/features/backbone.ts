import { stat } from 'node:fs/promises';
import type { ImageSet } from '../../../data/image-set.ts';
import { RunError } from '../../common/errors.ts';
import { sha256File } from '../../common/files.ts';
import type { Tensor } from '../../common/tensor.ts';
import { readModel } from '../../graph/read.ts';
import { fastestBatchSize } from '../../runtime/batch-size.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { SessionPool } from '../../runtime/session-pool.ts';
import type { RunFolder } from '../run-folder.ts';
import { type FeatureGraph, featureGraph } from './feature-graph.ts';

export interface BackboneRunOptions {
  readonly device?: DeviceName;
  /** Images a run; the fastest number on this machine where absent. */
  readonly batch?: number;
  /** Taps whose standard deviation over positions is wanted too; see `featureGraph`. */
  readonly deviations?: readonly string[] | 'all';
}

/** A run's backbone; its session is opened when the first image needs it. */
export class Backbone {
  readonly graph: FeatureGraph;
  readonly sha256: string;
  readonly #options: BackboneRunOptions;
  #pool: Promise<SessionPool> | undefined;
  #batch: Promise<number> | undefined;

  private constructor(graph: FeatureGraph, sha256: string, options: BackboneRunOptions) {
    this.graph = graph;
    this.sha256 = sha256;
    this.#options = options;
  }

  /** @throws RunError where the folder has none; GraphError where it is unusable */
  static async open(run: RunFolder, options: BackboneRunOptions): Promise<Backbone> {
    const path = run.file('backbone.onnx');
    if (!(await stat(path).catch(() => undefined)))
      throw new RunError(path, 'is missing', `make it: la-ood import CHECKPOINT_OR_MODEL ${path}`);
    const graph = featureGraph(await readModel(path), path, options.deviations);
    return new Backbone(graph, await sha256File(path), options);
  }

  async run(pixels: Uint8Array, count: number) {
    return (await this.#open()).run({ pixels: this.#tensor(pixels, count) }, this.graph.taps);
  }

  /** The graph's own batch size, the one asked for, or the fastest one, measured on the set's first image. */
  batchSize(images: ImageSet): Promise<number> {
    const set = this.graph.batch ?? this.#options.batch;
    this.#batch ??= set
      ? Promise.resolve(set)
      : this.#open().then(async (pool) => {
          const image = await images.read(0, 1, this.graph.size);
          const copies = (count: number) =>
            new Uint8Array(count * image.length).map((_, i) => image[i % image.length]);
          return fastestBatchSize(pool, (count) => ({ pixels: this.#tensor(copies(count), count) }));
        });
    return this.#batch;
  }

  /** Runs that go on at the same time. */
  async parallelRuns(): Promise<number> {
    return (await this.#open()).size;
  }

  /** The device that it ran on; undefined where nothing had to run. */
  async device(): Promise<string | undefined> {
    return (await this.#pool)?.device;
  }

  async close(): Promise<void> {
    await (await this.#pool)?.close();
  }

  #open(): Promise<SessionPool> {
    this.#pool ??= SessionPool.open(this.graph.model, this.#options.device);
    return this.#pool;
  }

  #tensor(pixels: Uint8Array, count: number): Tensor {
    const { height, width } = this.graph.size;
    return { dtype: 'uint8', shape: [count, height, width, 3], data: pixels };
  }
}
