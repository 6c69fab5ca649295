import { GraphBuilder } from '../graph/builder.ts';
import { ElementType } from '../graph/onnx.ts';
import { encodeModel } from '../graph/write.ts';
import * as ort from '../runtime/onnxruntime.ts';

/** For each of n points its k nearest others, nearest first: row-major n × k. */
export interface Neighbors {
  readonly k: number;
  readonly indices: Uint32Array;
  /** Euclidean distances. */
  readonly distances: Float64Array;
}

/** Float32 products may mistake the order of nearly equal distances: so many more candidates are ranked exactly. */
const MARGIN = 8;

/** Largest relative error of one float32 operation. */
const ROUNDOFF = 2 ** -24;

/** Query points of one graph run. */
const BLOCK = 256;

/** Points of a group; see `searchGraph`. */
const GROUP = 16;

/** Augmentation of what fills up the last group: farther than any point. */
const NOWHERE = 1e30;

/**
 * Exact Euclidean nearest neighbours by blocked matrix multiplication and top-k on onnxruntime: float32 products find
 * the candidates, their distances are computed anew in float64 and rank them. Where rounding may have kept a neighbour
 * from the candidates (a tight cluster far from the centre), that point is compared with all others in float64.
 */
export class NeighborSearch {
  readonly #session: ort.InferenceSession;

  private constructor(session: ort.InferenceSession) {
    this.#session = session;
  }

  /** Opens the search graph: once a thread, as sessions leak a little when they are released. */
  static async open(threads = 1): Promise<NeighborSearch> {
    const graph = encodeModel(searchGraph());
    return new NeighborSearch(await ort.openSession(graph, ort.takingTurns(threads)));
  }

  /**
   * @param features n × width, row-major, centred (see `RbfKernel` on cancellation)
   * @param k neighbours of a point, itself not counted; below n
   */
  async nearest(features: Float64Array, width: number, k: number): Promise<Neighbors> {
    const count = features.length / width;
    const { queries, points, norms } = augment(features, width);
    const everyone = Uint32Array.from({ length: count }, (_, i) => i);
    const candidates = Math.min(k + 1 + MARGIN, count);
    const groups = Math.ceil(count / GROUP);
    const taken = Math.min(candidates, groups);
    const feeds = {
      points: ort.tensor('float32', points, [groups * GROUP, width + 1]),
      table: int64s(-1, GROUP, groups),
      taken: int64s(taken),
      candidates: int64s(candidates),
    };
    const indices = new Uint32Array(count * k);
    const distances = new Float64Array(count * k);
    for (let start = 0; start < count; start += BLOCK) {
      const end = Math.min(start + BLOCK, count);
      const block = queries.subarray(start * (width + 1), end * (width + 1));
      const { nearness, group, position } = await this.#session.run({
        ...feeds,
        queries: ort.tensor('float32', block, [end - start, width + 1]),
      });
      const groupOf = group.data as Int32Array;
      const found = Uint32Array.from(position.data as Int32Array, (at, i) => {
        const column = at % taken;
        return groupOf[Math.floor(i / candidates) * taken + column] + (groups * (at - column)) / taken;
      });
      const products = nearness.data as Float32Array;
      for (let i = start; i < end; i++) {
        const [first, last] = [(i - start) * candidates, (i - start + 1) * candidates];
        rank(features, width, i, found.subarray(first, last), k, indices, distances);
        if (k === 0 || candidates === count) continue;
        // Whoever is no candidate is at least as far as the products say of the farthest one, less their rounding error.
        // That grows with the norms, of which only those of points nearer than the last neighbour matter.
        const leastNear = products.subarray(first, last).reduce((a, b) => Math.min(a, b));
        const farthest = distances[(i + 1) * k - 1];
        const rounding = ROUNDOFF * (width + 6) * (2 * Math.sqrt(norms[i]) + farthest) ** 2;
        if (farthest > 0 && farthest ** 2 > norms[i] - leastNear - rounding)
          rank(features, width, i, everyone, k, indices, distances);
      }
    }
    return { k, indices, distances };
  }
}

/** query · point = 2ab − |b|²: the larger, the nearer b is to a. */
function augment(features: Float64Array, width: number) {
  const count = features.length / width;
  const queries = new Float32Array(count * (width + 1));
  const points = new Float32Array(Math.ceil(count / GROUP) * GROUP * (width + 1));
  const norms = new Float64Array(count);
  for (let i = 0, from = 0, to = 0; i < count; i++, to++) {
    let norm = 0;
    for (let j = 0; j < width; j++, from++, to++) {
      const value = features[from];
      queries[to] = 2 * value;
      points[to] = value;
      norm += value * value;
    }
    queries[to] = -1;
    points[to] = norm;
    norms[i] = norm;
  }
  for (let at = count * (width + 1) + width; at < points.length; at += width + 1) points[at] = NOWHERE;
  return { queries, points, norms };
}

/** Writes the k nearest of point i's candidates, by float64 distance, the lower index first on ties. */
function rank(
  features: Float64Array,
  width: number,
  i: number,
  candidates: Uint32Array,
  k: number,
  indices: Uint32Array,
  distances: Float64Array,
): void {
  let kept = 0;
  const base = i * k;
  for (const other of candidates) {
    if (other === i) continue;
    let square = 0;
    for (let j = 0; j < width; j++) {
      const difference = features[i * width + j] - features[other * width + j];
      square += difference * difference;
    }
    const distance = Math.sqrt(square);
    let at = Math.min(kept, k);
    while (at > 0 && isNearer(distance, other, distances[base + at - 1], indices[base + at - 1])) {
      if (at < k) {
        distances[base + at] = distances[base + at - 1];
        indices[base + at] = indices[base + at - 1];
      }
      at--;
    }
    if (at < k) {
      distances[base + at] = distance;
      indices[base + at] = other;
      if (kept < k) kept++;
    }
  }
}

function int64s(...values: number[]): ort.Tensor {
  return ort.tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);
}

function isNearer(distance: number, index: number, thanDistance: number, thanIndex: number): boolean {
  return distance < thanDistance || (distance === thanDistance && index < thanIndex);
}

/**
 * queries [q, e], points [16 g, e] → the `candidates` largest products of each query, nearness [q, c], unsorted.
 *
 * A scan for the largest of thousands of products is slow; maxima over groups of them are vectorised. The c largest
 * products lie in the c groups with the largest maxima: only those are scanned. Product p belongs to group p mod g, and
 * the one at `position` (row t, column u of a [16, taken] table) is that of point t g + group[u].
 */
function searchGraph() {
  const graph = new GraphBuilder('nearest_neighbours');
  graph.input('queries', ElementType.float, ['queries', 'augmented']);
  graph.input('points', ElementType.float, ['points', 'augmented']);
  graph.input('table', ElementType.int64, [3]);
  graph.input('taken', ElementType.int64, [1]);
  graph.input('candidates', ElementType.int64, [1]);
  graph.int64s('axis', [1]);
  graph.int64s('rows', [1, GROUP, 1]);
  graph.node('Gemm', ['queries', 'points'], { name: 'products', attributes: { transB: 1 } });
  graph.node('Reshape', ['products', 'table'], { name: 'grouped' });
  graph.node('ReduceMax', ['grouped', 'axis'], { name: 'maxima', attributes: { keepdims: 1 } });
  graph.node('TopK', ['maxima', 'taken'], { outputs: ['least', 'best'], attributes: { sorted: 0 } });
  graph.node('Expand', ['best', 'rows'], { name: 'best_rows' });
  graph.node('GatherElements', ['grouped', 'best_rows'], { name: 'scanned', attributes: { axis: 2 } });
  graph.node('Flatten', ['scanned'], { name: 'flat', attributes: { axis: 1 } });
  graph.node('TopK', ['flat', 'candidates'], { outputs: ['nearness', 'at'], attributes: { sorted: 0 } });
  // Numbers of 32 bits: arrays of BigInt are slow.
  graph.node('Cast', ['best'], { name: 'group', attributes: { to: ElementType.int32 } });
  graph.node('Cast', ['at'], { name: 'position', attributes: { to: ElementType.int32 } });
  graph.output('nearness', ElementType.float, ['queries', 'candidates']);
  graph.output('group', ElementType.int32, ['queries', 1, 'taken']);
  graph.output('position', ElementType.int32, ['queries', 'candidates']);
  return graph.build();
}
