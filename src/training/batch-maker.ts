import type { Worker } from 'node:worker_threads';
import { endWorker, startWorker } from '../common/workers.ts';
import { type Preprocessing, UNIT_SCALE } from '../graph/preprocessing.ts';
import type { BatchSetup, BatchTask } from './batch-maker.worker.ts';
import type { LabeledImages } from './labeled-images.ts';

/** Images as the network takes them. */
export interface TrainingBatch {
  /** N × 3 × H × W, normalised. */
  readonly images: Float32Array;
  readonly shape: [count: number, channels: 3, height: number, width: number];
  readonly labels: Int32Array;
}

/** How images are changed by chance. */
export interface Augmentation {
  /** Pixels padded, with black, on each side before a crop of the old size. */
  readonly crop: number;
  readonly flip: boolean;
  /** By batch. */
  seed(step: number): number;
}

/** Batches that are being made while the caller works on one. */
const AHEAD = 2;

/** Makes batches in a thread of its own: crops, flips and normalises. */
export class BatchMaker {
  readonly #worker: Worker;
  readonly #waiting: { resolve(images: Float32Array): void; reject(error: Error): void }[] = [];

  /** @param preprocessing what the network wants done to bytes */
  constructor(preprocessing: Preprocessing) {
    const setup: BatchSetup = tablesOf(preprocessing);
    this.#worker = startWorker(import.meta.url, './batch-maker.worker', setup);
    const fail = (error: Error) => {
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    };
    this.#worker.on('message', (images: Float32Array) => this.#waiting.shift()?.resolve(images));
    this.#worker.on('error', fail);
    this.#worker.on('exit', () => fail(new Error('making batches was ended')));
  }

  /**
   * The images in this order, batch by batch; the last one may be smaller.
   *
   * @param augmentation none where absent
   * @throws DataError where an image cannot be decoded
   */
  async *batches(
    set: LabeledImages,
    order: Uint32Array,
    size: number,
    augmentation?: Augmentation,
  ): AsyncGenerator<TrainingBatch, void, undefined> {
    const making: Promise<TrainingBatch>[] = [];
    const steps = Math.ceil(order.length / size);
    let next = 0;
    const makeMore = () => {
      for (; next < steps && making.length < AHEAD; next++) {
        const batch = this.#make(set, order.subarray(next * size, (next + 1) * size), next, augmentation);
        // The caller gets the failure when it asks for this batch; until then Node would take it for a crash.
        batch.catch(() => {});
        making.push(batch);
      }
    };
    makeMore();
    for (let step = 0; step < steps; step++) {
      const batch = await making.shift()!;
      makeMore();
      yield batch;
    }
  }

  async close(): Promise<void> {
    await endWorker(this.#worker);
  }

  async #make(
    set: LabeledImages,
    indices: Uint32Array,
    step: number,
    augmentation?: Augmentation,
  ): Promise<TrainingBatch> {
    const { height, width } = set.size;
    const pixels = await set.take(indices);
    const { crop = 0, flip = false } = augmentation ?? {};
    const seed = augmentation?.seed(step);
    const images = await new Promise<Float32Array>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      const task: BatchTask = { pixels, height, width, crop, flip, seed };
      this.#worker.postMessage(task, [pixels.buffer as ArrayBuffer]);
    });
    const labels = Int32Array.from(indices, (index) => set.labels[index]);
    return { images, shape: [indices.length, 3, height, width], labels };
  }
}

/** What becomes of each byte, by channel of the network: torchvision's ToTensor and Normalize, in float32. */
function tablesOf({ mean, std, scale = UNIT_SCALE, channelOrder }: Preprocessing): BatchSetup {
  const f = Math.fround;
  const tables = mean.map((center, c) =>
    Float32Array.from({ length: 256 }, (_, byte) => {
      const value = scale === UNIT_SCALE ? f(byte / 255) : f(byte * f(scale));
      return f(f(value - f(center)) / f(std[c]));
    }),
  );
  return { tables, channels: channelOrder === 'BGR' ? [2, 1, 0] : [0, 1, 2] };
}
