import { GraphBuilder } from '../../graph/builder.ts';
import { ElementType } from '../../graph/onnx.ts';
import { encodeModel } from '../../graph/write.ts';
import * as ort from '../../runtime/onnxruntime.ts';

/** Which of two factors is transposed. */
type Product = 'none' | 'first' | 'second';

/** Products of float64 matrices by onnxruntime, all row-major. */
export class Matrices {
  readonly #sessions = new Map<Product, Promise<ort.InferenceSession>>();
  readonly #options: ort.InferenceSession.SessionOptions;

  /** @param options of its sessions, which say how many threads work */
  constructor(options: ort.InferenceSession.SessionOptions = {}) {
    this.#options = options;
  }

  /** rowsᵀ rows of n × width rows: width × width. */
  scatter(rows: Float64Array, width: number): Promise<Float64Array> {
    const factor = tensor(rows, rows.length / width, width);
    return this.#run('first', factor, factor);
  }

  /** a bᵀ of a, m × width, and b, n × width: m × n. */
  timesTransposed(a: Float64Array, b: Float64Array, width: number): Promise<Float64Array> {
    return this.#run('second', tensor(a, a.length / width, width), tensor(b, b.length / width, width));
  }

  /** a b of a, m × inner, and b, inner × n: m × n. */
  times(a: Float64Array, b: Float64Array, inner: number): Promise<Float64Array> {
    return this.#run('none', tensor(a, a.length / inner, inner), tensor(b, inner, b.length / inner));
  }

  async #run(transposed: Product, a: ort.Tensor, b: ort.Tensor): Promise<Float64Array> {
    if (!this.#sessions.has(transposed)) this.#sessions.set(transposed, open(transposed, this.#options));
    const session = await this.#sessions.get(transposed)!;
    return (await session.run({ a, b })).product.data as Float64Array;
  }
}

function open(
  transposed: Product,
  options: ort.InferenceSession.SessionOptions,
): Promise<ort.InferenceSession> {
  const graph = new GraphBuilder('product');
  graph.input('a', ElementType.double, transposed === 'first' ? ['inner', 'm'] : ['m', 'inner']);
  graph.input('b', ElementType.double, transposed === 'second' ? ['n', 'inner'] : ['inner', 'n']);
  const attributes = { transA: transposed === 'first' ? 1 : 0, transB: transposed === 'second' ? 1 : 0 };
  graph.node('Gemm', ['a', 'b'], { name: 'product', attributes });
  graph.output('product', ElementType.double, ['m', 'n']);
  return ort.openSession(encodeModel(graph.build()), options);
}

function tensor(values: Float64Array, rows: number, width: number): ort.Tensor {
  return ort.tensor('float64', values, [rows, width]);
}
