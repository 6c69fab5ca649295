import { type StandardScaler, scaleOf } from '../detectors/standard-scaler.ts';
import type { ModelProto } from '../graph/onnx.ts';
import { exposeTaps } from '../graph/rewrite.ts';
import type { TrainingBatch } from './batch-maker.ts';
import { runBatches } from './run-batches.ts';

/**
 * Mean and scale of the pooled values of a network's taps over images, as `fitStandardScaler` finds them, without keeping
 * the values: sums are taken of what they differ from the first batch's mean by.
 *
 * @param taps names of values
 */
export async function pooledScalers(
  model: ModelProto,
  taps: readonly string[],
  batches: AsyncIterable<TrainingBatch>,
  onRead?: (images: number) => void,
): Promise<StandardScaler[]> {
  let sums: Sums[] | undefined;
  let read = 0;
  for await (const { outputs, batch } of runBatches(exposeTaps(model, taps, 'model'), batches, taps)) {
    const rows = taps.map((tap) => outputs[tap].data as Float32Array);
    sums ??= rows.map((values) => new Sums(values, values.length / batch.labels.length));
    sums.forEach((sum, t) => {
      sum.add(rows[t]);
    });
    read += batch.labels.length;
    onRead?.(read);
  }
  return sums!.map((sum) => sum.scaler());
}

/** Sums of x − shift and of its square, by feature. */
class Sums {
  readonly #width: number;
  readonly #shift: Float64Array;
  readonly #sum: Float64Array;
  readonly #squares: Float64Array;
  #count = 0;

  constructor(first: Float32Array, width: number) {
    this.#width = width;
    this.#shift = new Float64Array(width);
    this.#sum = new Float64Array(width);
    this.#squares = new Float64Array(width);
    const count = first.length / width;
    for (let i = 0; i < first.length; i++) this.#shift[i % width] += first[i] / count;
  }

  add(rows: Float32Array): void {
    const width = this.#width;
    for (let at = 0; at < rows.length; at += width)
      for (let j = 0; j < width; j++) {
        const difference = rows[at + j] - this.#shift[j];
        this.#sum[j] += difference;
        this.#squares[j] += difference * difference;
      }
    this.#count += rows.length / width;
  }

  scaler(): StandardScaler {
    const count = this.#count;
    const mean = this.#shift.map((shift, j) => shift + this.#sum[j] / count);
    const scale = this.#squares.map((squares, j) => {
      const variance = Math.max(0, squares / count - (this.#sum[j] / count) ** 2);
      return scaleOf(variance, mean[j], count);
    });
    return { mean, scale };
  }
}
