import { GraphBuilder } from '../../graph/builder.ts';
import { ElementType } from '../../graph/onnx.ts';
import { encodeModel } from '../../graph/write.ts';
import * as ort from '../../runtime/onnxruntime.ts';

/**
 * What a block's products are computed in. In float32 it takes half the time, and each element S_ij of the sum is off by some
 * 1e-7 √(S_ii S_jj).
 */
export type Precision = 'float32' | 'float64';

/** Panels of columns: of the products of two panels, those above the diagonal are computed, with 4 of them 10 of 16. */
const PANELS = 4;

/** Rows of one product: in float32, the sum of more would lose digits. */
const ROWS = 512;

/** Narrower rows are one panel. */
const NARROW = 96;

type Panel = Float32Array | Float64Array;

/** Σ (x − c)(x − c)ᵀ over rows x that come in blocks, c a centre of each: products by onnxruntime, summed in float64. */
export class ScatterSum {
  readonly #width: number;
  readonly #precision: Precision;
  /** The first column of each panel, and the end. */
  readonly #starts: readonly number[];
  /** By pair of panels. */
  readonly #sums = new Map<string, Float64Array>();
  readonly #session: ort.InferenceSession;
  #panels: Panel[] = [];

  private constructor(width: number, precision: Precision, session: ort.InferenceSession) {
    this.#width = width;
    this.#precision = precision;
    this.#starts = startsOf(width);
    this.#session = session;
  }

  static async open(width: number, precision: Precision): Promise<ScatterSum> {
    const session = await ort.InferenceSession.create(encodeModel(productsOfPanels(width, precision)));
    return new ScatterSum(width, precision, session);
  }

  /**
   * Adds a block of rows.
   *
   * @param rows count × width, row-major
   * @param centres any number × width
   * @param centreOf which of them is each row's
   */
  async add(rows: Float32Array, centres: Float64Array, centreOf: (row: number) => number): Promise<void> {
    const count = rows.length / this.#width;
    for (let start = 0; start < count; start += ROWS) {
      const part = rows.subarray(start * this.#width, (start + ROWS) * this.#width);
      await this.#addPart(part, centres, (row) => centreOf(start + row));
    }
  }

  async #addPart(
    rows: Float32Array,
    centres: Float64Array,
    centreOf: (row: number) => number,
  ): Promise<void> {
    const width = this.#width;
    const count = rows.length / width;
    const panels = this.#panelsOf(count);
    for (let row = 0; row < count; row++) {
      const centre = centreOf(row) * width;
      for (let p = 0; p < panels.length; p++)
        centreRow(
          panels[p],
          row,
          rows,
          row * width + this.#starts[p],
          centres,
          centre + this.#starts[p],
          this.#starts[p + 1] - this.#starts[p],
        );
    }
    const feeds = panels.map((panel, p): [string, ort.Tensor] => [
      `panel_${p}`,
      new ort.Tensor(this.#precision, panel as Float32Array, [count, panel.length / count]),
    ]);
    const products = await this.#session.run(Object.fromEntries(feeds));
    for (const [name, { data }] of Object.entries(products)) {
      const sum = this.#sums.get(name) ?? new Float64Array(data.length);
      this.#sums.set(name, sum);
      addTo(sum, data as Panel);
    }
  }

  /** Ends the sum. @returns width × width */
  async end(): Promise<Float64Array> {
    await this.#session.release();
    const width = this.#width;
    const all = new Float64Array(width * width);
    for (const [p, q] of pairs(this.#starts.length - 1)) {
      const sum = this.#sums.get(`${p}_${q}`)!;
      const [top, left] = [this.#starts[p], this.#starts[q]];
      const columns = this.#starts[q + 1] - left;
      sum.forEach((value, at) => {
        const [i, j] = [top + Math.floor(at / columns), left + (at % columns)];
        all[i * width + j] = value;
        all[j * width + i] = value;
      });
    }
    return all;
  }

  /** Arrays for the panels of so many rows: those of the last block where they are as long. */
  #panelsOf(count: number): Panel[] {
    const lengths = this.#starts.slice(1).map((end, p) => count * (end - this.#starts[p]));
    if (this.#panels[0]?.length !== lengths[0])
      this.#panels = lengths.map((length) =>
        this.#precision === 'float32' ? new Float32Array(length) : new Float64Array(length),
      );
    return this.#panels;
  }
}

/** Part of a row less that of its centre, as a panel's row. */
function centreRow(
  panel: Panel,
  row: number,
  rows: Float32Array,
  from: number,
  centres: Float64Array,
  centre: number,
  width: number,
): void {
  const to = row * width;
  for (let j = 0; j < width; j++) panel[to + j] = rows[from + j] - centres[centre + j];
}

function addTo(sum: Float64Array, values: Panel): void {
  for (let i = 0; i < sum.length; i++) sum[i] += values[i];
}

function startsOf(width: number): number[] {
  const count = width < NARROW ? 1 : PANELS;
  return Array.from({ length: count + 1 }, (_, p) => Math.round((p * width) / count));
}

function pairs(count: number): [number, number][] {
  return Array.from({ length: count }, (_, p) => p).flatMap((p) =>
    Array.from({ length: count - p }, (_, more): [number, number] => [p, p + more]),
  );
}

function productsOfPanels(width: number, precision: Precision) {
  const graph = new GraphBuilder('scatter');
  const type = precision === 'float32' ? ElementType.float : ElementType.double;
  const starts = startsOf(width);
  const widths = starts.slice(1).map((end, p) => end - starts[p]);
  const panels = widths.map((own, p) => graph.input(`panel_${p}`, type, ['n', own]));
  for (const [p, q] of pairs(widths.length)) {
    const name = `${p}_${q}`;
    graph.node('Gemm', [panels[p], panels[q]], { name, attributes: { transA: 1 } });
    graph.output(name, type, [widths[p], widths[q]]);
  }
  return graph.build();
}
