import { advice, DetectorError, option } from '../../common/errors.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { NodeScope } from '../../graph/node-scope.ts';
import { ElementType } from '../../graph/onnx.ts';
import { encodeModel } from '../../graph/write.ts';
import * as ort from '../../runtime/onnxruntime.ts';
import { headRows } from './head-moments.ts';
import { GROUP } from './largest.ts';
import type { MethodOptions } from './method.ts';
import { normalize } from './operators.ts';
import type { Training } from './training.ts';

const GIB = 2 ** 30;

/** Bytes of a bank, at most: an ONNX file holds no more than 2 GiB. */
const MOST = 1.75 * GIB;

/** Training images that a coreset's loss is told by. */
const COMPARED = 256;

/** Head inputs of training images that are kept to be compared with. */
export interface Bank {
  /** padded × width: `size` images, and zeros that fill them up to a multiple of `GROUP`. */
  readonly rows: Float32Array;
  readonly size: number;
  readonly padded: number;
  /** Which images they are. */
  readonly indices: Uint32Array;
}

/**
 * Keeps all training images, or a coreset drawn at random.
 *
 * @throws DetectorError where that takes more than a file of methods holds
 */
export function drawBank(training: Training, { bank = training.count, seed = 0 }: MethodOptions): Bank {
  const { count, width } = training;
  const size = Math.min(bank, count);
  const padded = GROUP * Math.ceil(size / GROUP);
  const bytes = 4 * padded * width;
  if (bytes > MOST)
    throw new DetectorError(
      `a bank of ${size} training images`,
      `takes ${(bytes / GIB).toFixed(1)} GiB, and a file of methods holds ${MOST / GIB}`,
      advice`keep a coreset with ${option('bank')}, of at most ${GROUP * Math.floor(MOST / (4 * width * GROUP))}`,
    );
  const { rows, indices } = training.sample(size, seed, padded);
  return { rows, size, padded, indices };
}

/**
 * What is lost by a coreset: how well the distances from its k-th nearest of some training images, which it does not hold, rank these
 * as the distances from the `all`-th nearest of all training images do (Spearman's correlation), in a line. Nothing where all
 * images are kept.
 */
export async function coresetNotes(
  training: Training,
  bank: Bank,
  k: number,
  all: number,
): Promise<string[]> {
  const { count, width } = training;
  if (bank.size === count) return [];
  const kept = new Set(bank.indices);
  const others = Array.from({ length: count }, (_, i) => i).filter((i) => !kept.has(i));
  const chosen = others.filter((_, i) => i % Math.ceil(others.length / COMPARED) === 0);
  const queries = new Float32Array(chosen.length * width);
  let at = 0;
  for (const { start, count: rows, values } of training.headInputs())
    for (; at < chosen.length && chosen[at] < start + rows; at++) {
      const from = (chosen[at] - start) * width;
      queries.set(values.subarray(from, from + width), at * width);
    }
  normalize(queries, width, queries);
  const search = await SimilaritySearch.open(queries, width);
  const exact = await search.kth(normalizedBlocks(training), all + 1); // the first is the image itself
  const own = await search.kth([bank.rows.subarray(0, bank.size * width)], k);
  await search.close();
  const share = correlation(ranks(exact), ranks(own)).toFixed(3);
  return [
    `a coreset of ${bank.size} of ${count} training images, k = ${k}: ${chosen.length} others are ranked as by all with a correlation of ${share}`,
  ];
}

function* normalizedBlocks(training: Training): Generator<Float32Array> {
  for (const { values } of headRows(training, { normalized: true })) yield values;
}

/** Searches for the k-th largest product of each query with rows that come in blocks. */
class SimilaritySearch {
  readonly #session: ort.InferenceSession;
  readonly #queries: ort.Tensor;
  readonly #width: number;

  private constructor(session: ort.InferenceSession, queries: ort.Tensor, width: number) {
    this.#session = session;
    this.#queries = queries;
    this.#width = width;
  }

  static async open(queries: Float32Array, width: number): Promise<SimilaritySearch> {
    const graph = new GraphBuilder('similarities');
    graph.input('queries', ElementType.float, ['queries', width]);
    graph.input('rows', ElementType.float, ['rows', width]);
    graph.input('k', ElementType.int64, [1]);
    const nodes = new NodeScope(graph, 'search');
    const products = nodes.node('Gemm', ['queries', 'rows'], 'products', { transB: 1 });
    const [largest] = nodes.nodes('TopK', [products, 'k'], ['largest', 'rows'], { axis: 1 });
    graph.node('Identity', [largest], { name: 'largest' });
    graph.output('largest', ElementType.float, ['queries', 'k']);
    const session = await ort.openSession(encodeModel(graph.build()));
    return new SimilaritySearch(
      session,
      ort.tensor('float32', queries, [queries.length / width, width]),
      width,
    );
  }

  /** The k-th largest product of each query; the smallest where there are fewer rows. */
  async kth(blocks: Iterable<Float32Array>, k: number): Promise<Float32Array> {
    const [count] = this.#queries.dims;
    // Of each query, in falling order.
    const best = new Float32Array(count * k).fill(Number.NEGATIVE_INFINITY);
    let seen = 0;
    for (const rows of blocks) {
      const size = rows.length / this.#width;
      const some = Math.min(k, size);
      const { largest } = await this.#session.run({
        queries: this.#queries,
        rows: ort.tensor('float32', rows, [size, this.#width]),
        k: ort.tensor('int64', BigInt64Array.of(BigInt(some)), [1]),
      });
      const values = largest.data as Float32Array;
      for (let q = 0; q < count; q++)
        merge(best.subarray(q * k, (q + 1) * k), values.subarray(q * some, (q + 1) * some));
      seen += size;
    }
    return Float32Array.from({ length: count }, (_, q) => best[q * k + Math.min(k, seen) - 1]);
  }

  close(): Promise<void> {
    return this.#session.release();
  }
}

/** Puts those of falling values that are among the largest in their places among these. */
function merge(best: Float32Array, values: Float32Array): void {
  for (const value of values) {
    let at = best.length - 1;
    if (!(value > best[at])) return;
    for (; at > 0 && best[at - 1] < value; at--) best[at] = best[at - 1];
    best[at] = value;
  }
}

/** The place of each value among all; equal ones in their order. */
function ranks(values: Float32Array): Float64Array {
  const places = new Float64Array(values.length);
  Array.from(values.keys())
    .sort((a, b) => values[a] - values[b])
    .forEach((index, place) => {
      places[index] = place;
    });
  return places;
}

/** Pearson's, of two permutations of the same ranks. */
function correlation(a: Float64Array, b: Float64Array): number {
  const mean = (a.length - 1) / 2;
  let both = 0;
  let own = 0;
  for (let i = 0; i < a.length; i++) {
    both += (a[i] - mean) * (b[i] - mean);
    own += (a[i] - mean) ** 2;
  }
  return own > 0 ? both / own : 1;
}
