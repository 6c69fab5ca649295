import type { Dataset, File } from 'h5wasm/node';
import { FeatureError } from '../../src/common/errors.ts';
import { writeHdf5 } from '../../src/common/hdf5.ts';

/** What a feature file is to hold. */
export interface FeatureLayout {
  /** C of each layer. */
  readonly widths: readonly number[];
  /** N, the number of images. */
  readonly count: number;
  /** Names of the layers, stored as the attribute `taps` (a JSON list). */
  readonly taps?: readonly string[];
  /** More attributes of the root group, to say where the features come from. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Element type: `float32` (exact) where nothing is said; `float64` is the original's, twice the size. */
  readonly precision?: 'float32' | 'float64';
}

/** Takes the next rows of every layer: k x C each, row-major, the same k for all. The arrays are copied. */
export type AppendRows = (rows: readonly Float32Array[]) => void;

/** Rows are written in chunks of this size over all layers, and as much is held in memory. */
const CHUNK_BYTES = 16 << 20;

/**
 * Writes pooled features in the original's layout: one HDF5 dataset a layer, named `0`, `1`, …, N x C. `write` is
 * handed a function that appends rows. The file appears at `path` when all rows are written; its bytes depend on its
 * content alone.
 *
 * @throws FeatureError where the rows do not fit the layout, or the file cannot be written
 *
 * @example
 * ```ts
 * import { writeFeatures } from 'la-ood/checkpoints';
 *
 * await writeFeatures('features.hdf5', { count: 100, widths: [16, 32] }, (append) => {
 *   append([new Float32Array(100 * 16), new Float32Array(100 * 32)]);
 * });
 * ```
 */
export async function writeFeatures(
  path: string,
  layout: FeatureLayout,
  write: (append: AppendRows) => Promise<void> | void,
): Promise<void> {
  if (layout.count === 0 || layout.widths.length === 0)
    throw new FeatureError(path, 'there are no features to write');
  await writeHdf5(FeatureError, path, async (file, hdf5) => {
    const writer = hdf5(() => new FeatureWriter(path, file, layout));
    await write((rows) => hdf5(() => writer.append(rows)));
    hdf5(() => writer.finish());
  });
}

/** Gathers rows until they fill one chunk of every layer, since HDF5 writes whole chunks. */
class FeatureWriter {
  readonly #datasets: Dataset[];
  readonly #gathered: (Float32Array | Float64Array)[];
  readonly #chunkRows: number;
  #gatheredRows = 0;
  #writtenRows = 0;

  constructor(
    readonly path: string,
    file: File,
    readonly layout: FeatureLayout,
  ) {
    const { widths, count, taps, attributes = {}, precision = 'float32' } = layout;
    const Values = precision === 'float32' ? Float32Array : Float64Array;
    const rowBytes = widths.reduce((sum, width) => sum + width, 0) * Values.BYTES_PER_ELEMENT;
    this.#chunkRows = Math.min(count, Math.max(1, Math.floor(CHUNK_BYTES / rowBytes)));
    this.#gathered = widths.map((width) => new Values(this.#chunkRows * width));
    this.#datasets = widths.map((width, layer) => {
      // Made empty and then enlarged: h5wasm would otherwise want the whole layer in memory.
      const dataset = file.create_dataset({
        name: String(layer),
        data: new Values(0),
        shape: [0, width],
        maxshape: [count, width],
        chunks: [this.#chunkRows, width],
        dtype: precision === 'float32' ? '<f' : '<d',
      });
      dataset.resize([count, width]);
      return dataset;
    });
    if (taps) file.create_attribute('taps', JSON.stringify(taps), [], 'S');
    for (const [name, value] of Object.entries(attributes)) file.create_attribute(name, value, [], 'S');
  }

  append(rows: readonly Float32Array[]): void {
    const { widths, count } = this.layout;
    const added = (rows[0]?.length ?? 0) / widths[0];
    const fits = rows.every((values, layer) => values.length === added * widths[layer]);
    if (rows.length !== widths.length || !Number.isInteger(added) || !fits)
      throw new FeatureError(
        this.path,
        `rows of ${rows.map((values) => values.length)} values do not fit layers of width ${widths}`,
      );
    if (this.#writtenRows + this.#gatheredRows + added > count)
      throw new FeatureError(this.path, `more than the ${count} rows that were announced`);
    for (let start = 0; start < added; ) {
      const taken = Math.min(added - start, this.#chunkRows - this.#gatheredRows);
      this.#gathered.forEach((gathered, layer) => {
        const width = widths[layer];
        gathered.set(
          rows[layer].subarray(start * width, (start + taken) * width),
          this.#gatheredRows * width,
        );
      });
      this.#gatheredRows += taken;
      start += taken;
      if (this.#gatheredRows === this.#chunkRows) this.#flush();
    }
  }

  finish(): void {
    if (this.#gatheredRows > 0) this.#flush();
    if (this.#writtenRows !== this.layout.count)
      throw new FeatureError(
        this.path,
        `only ${this.#writtenRows} rows of the ${this.layout.count} that were announced`,
      );
  }

  #flush(): void {
    const from = this.#writtenRows;
    const to = from + this.#gatheredRows;
    this.#datasets.forEach((dataset, layer) => {
      const width = this.layout.widths[layer];
      dataset.write_slice(
        [
          [from, to],
          [0, width],
        ],
        this.#gathered[layer].subarray(0, (to - from) * width),
      );
    });
    this.#writtenRows = to;
    this.#gatheredRows = 0;
  }
}
