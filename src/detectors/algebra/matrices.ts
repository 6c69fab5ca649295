import { GraphBuilder } from '../../graph/builder.ts';
import { ElementType } from '../../graph/onnx.ts';
import { encodeModel } from '../../graph/write.ts';
import * as ort from '../../runtime/onnxruntime.ts';

/** Panels that a symmetric product is computed in: with 6, those above the diagonal are 58 % of all. */
const PANELS = 6;

/** Narrower products are computed whole. */
const NARROW = 96;

/** Products of float64 matrices by onnxruntime, all row-major. */
export class Matrices {
  readonly #scatter = new Map<number, Promise<ort.InferenceSession>>();
  readonly #products = new Map<boolean, Promise<ort.InferenceSession>>();

  /** rowsᵀ rows of n × width rows: width × width. */
  async scatter(rows: Float64Array, width: number): Promise<Float64Array> {
    if (!this.#scatter.has(width)) this.#scatter.set(width, open(scatterGraph(width)));
    const session = await this.#scatter.get(width)!;
    const outputs = await session.run({ rows: tensor(rows, rows.length / width, width) });
    const all = new Float64Array(width * width);
    for (const { name, start, end } of panelsOf(width)) {
      // Rows start … end of the product, from column start on.
      const values = outputs[name].data as Float64Array;
      const columns = width - start;
      for (let i = start; i < end; i++)
        for (let j = i; j < width; j++) {
          const value = values[(i - start) * columns + j - start];
          all[i * width + j] = value;
          all[j * width + i] = value;
        }
    }
    return all;
  }

  /** a bᵀ of a, m × width, and b, n × width: m × n. */
  timesTransposed(a: Float64Array, b: Float64Array, width: number): Promise<Float64Array> {
    return this.#run(true, tensor(a, a.length / width, width), tensor(b, b.length / width, width));
  }

  /** a b of a, m × inner, and b, inner × n: m × n. */
  times(a: Float64Array, b: Float64Array, inner: number): Promise<Float64Array> {
    return this.#run(false, tensor(a, a.length / inner, inner), tensor(b, inner, b.length / inner));
  }

  async #run(isTransposed: boolean, a: ort.Tensor, b: ort.Tensor): Promise<Float64Array> {
    if (!this.#products.has(isTransposed)) this.#products.set(isTransposed, open(productGraph(isTransposed)));
    const session = await this.#products.get(isTransposed)!;
    return (await session.run({ a, b })).product.data as Float64Array;
  }
}

function panelsOf(width: number): { name: string; start: number; end: number }[] {
  const size = width < NARROW ? width : Math.ceil(width / PANELS);
  return Array.from({ length: Math.ceil(width / size) }, (_, p) => ({
    name: `panel_${p}`,
    start: p * size,
    end: Math.min(width, (p + 1) * size),
  }));
}

function scatterGraph(width: number) {
  const graph = new GraphBuilder('scatter');
  graph.input('rows', ElementType.double, ['n', width]);
  const axis = graph.int64s('axis', [1]);
  for (const { name, start, end } of panelsOf(width)) {
    const from = graph.int64s(`${name}_start`, [start]);
    const columns = (to: number, word: string) =>
      graph.node('Slice', ['rows', from, graph.int64s(`${name}_${word}_end`, [to]), axis], {
        name: `${name}_${word}`,
      });
    graph.node('Gemm', [columns(end, 'own'), columns(width, 'rest')], { name, attributes: { transA: 1 } });
    graph.output(name, ElementType.double, [end - start, width - start]);
  }
  return graph.build();
}

function productGraph(isTransposed: boolean) {
  const graph = new GraphBuilder('product');
  graph.input('a', ElementType.double, ['m', 'inner']);
  graph.input('b', ElementType.double, isTransposed ? ['n', 'inner'] : ['inner', 'n']);
  graph.node('Gemm', ['a', 'b'], { name: 'product', attributes: { transB: isTransposed ? 1 : 0 } });
  graph.output('product', ElementType.double, ['m', 'n']);
  return graph.build();
}

function open(model: Parameters<typeof encodeModel>[0]): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(encodeModel(model));
}

function tensor(values: Float64Array, rows: number, width: number): ort.Tensor {
  return new ort.Tensor('float64', values, [rows, width]);
}
