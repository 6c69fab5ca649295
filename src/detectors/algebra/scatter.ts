import { GraphBuilder } from '../../graph/builder.ts';
import { NodeScope } from '../../graph/node-scope.ts';
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
const ROWS = 1024;

/** Narrower rows are one panel. */
const NARROW = 96;

export interface ScatterOptions {
  readonly precision: Precision;
  /** What becomes of rows before they are centred, as nodes: gives the name of the result. */
  readonly prepare?: (nodes: NodeScope, rows: string) => string;
}

/** Σ (x − c)(x − c)ᵀ over rows x that come in blocks, c a centre of each: products by onnxruntime, summed in float64. */
export class ScatterSum {
  readonly #width: number;
  /** By pair of panels. */
  readonly #sums = new Map<string, Float64Array>();
  readonly #session: ort.InferenceSession;

  private constructor(width: number, session: ort.InferenceSession) {
    this.#width = width;
    this.#session = session;
  }

  /** @param centers any number × width */
  static async open(width: number, centers: Float64Array, options: ScatterOptions): Promise<ScatterSum> {
    const model = productsOfPanels(width, centers, options);
    return new ScatterSum(width, await ort.openSession(encodeModel(model)));
  }

  /**
   * Adds a block of rows.
   *
   * @param rows count × width, row-major
   * @param centerOf the centre of each
   */
  async add(rows: Float32Array, centerOf: Uint32Array): Promise<void> {
    const width = this.#width;
    const count = rows.length / width;
    for (let start = 0; start < count; start += ROWS) {
      const end = Math.min(count, start + ROWS);
      const products = await this.#session.run({
        rows: ort.tensor('float32', rows.subarray(start * width, end * width), [end - start, width]),
        center_of: ort.tensor('int32', new Int32Array(centerOf.subarray(start, end)), [end - start]),
      });
      for (const [name, { data }] of Object.entries(products)) {
        const sum = this.#sums.get(name) ?? new Float64Array(data.length);
        this.#sums.set(name, sum);
        addTo(sum, data as Float32Array | Float64Array);
      }
    }
  }

  /** Ends the sum. @returns width × width */
  async end(): Promise<Float64Array> {
    await this.#session.release();
    const width = this.#width;
    const starts = startsOf(width);
    const all = new Float64Array(width * width);
    for (const [p, q] of pairs(starts.length - 1)) {
      const sum = this.#sums.get(`${p}_${q}`)!;
      const [top, left] = [starts[p], starts[q]];
      const columns = starts[q + 1] - left;
      sum.forEach((value, at) => {
        const [i, j] = [top + Math.floor(at / columns), left + (at % columns)];
        all[i * width + j] = value;
        all[j * width + i] = value;
      });
    }
    return all;
  }
}

function addTo(sum: Float64Array, values: Float32Array | Float64Array): void {
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

function productsOfPanels(width: number, centers: Float64Array, { precision, prepare }: ScatterOptions) {
  const graph = new GraphBuilder('scatter');
  const nodes = new NodeScope(graph, 'scatter');
  const type = precision === 'float32' ? ElementType.float : ElementType.double;
  const rows = graph.input('rows', ElementType.float, ['n', width]);
  const centerOf = graph.input('center_of', ElementType.int32, ['n']);
  const prepared = prepare ? prepare(nodes, rows) : rows;
  const shape = [centers.length / width, width];
  const [cast, table] =
    precision === 'float32'
      ? [prepared, nodes.floats('centres', shape, centers)]
      : [
          nodes.node('Cast', [prepared], 'cast', { to: type }),
          graph.initializer('centres', { dtype: 'float64', shape, data: centers }),
        ];
  const own = nodes.node('Gather', [table, centerOf], 'own_centre', { axis: 0 });
  const centered = nodes.node('Sub', [cast, own], 'centred');
  const starts = startsOf(width);
  const widths = starts.slice(1).map((end, p) => end - starts[p]);
  const panels = nodes.nodes(
    'Split',
    [centered, nodes.int64s('widths', widths)],
    widths.map((_, p) => `panel_${p}`),
    { axis: 1 },
  );
  for (const [p, q] of pairs(widths.length)) {
    const name = `${p}_${q}`;
    graph.node('Gemm', [panels[p], panels[q]], { name, attributes: { transA: 1 } });
    graph.output(name, type, [widths[p], widths[q]]);
  }
  return graph.build();
}
