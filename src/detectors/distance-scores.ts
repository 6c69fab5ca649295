import type { GraphBuilder } from '../graph/builder.ts';
import { NodeScope } from '../graph/node-scope.ts';
import { GROUP_WIDTH } from './layer-detectors.ts';
import type { StandardScaler } from './standard-scaler.ts';

/** What detectors by distance have in common: the taps that one watches, and how their channels are standardised. */
export interface TapDetector {
  readonly taps: readonly string[];
  readonly scaler: StandardScaler;
}

/** Detectors of about the same width, whose features are filled up to one width by zeros. */
export interface WidthGroup<T> {
  readonly detectors: readonly T[];
  readonly width: number;
  /** Standardised features, float32 `[detectors, batch, width]`; beyond a detector's own width they are of no meaning. */
  readonly features: string;
  /** Where the nodes of this width are written. */
  readonly nodes: NodeScope;
}

/** Standardised features are cut off here, a million standard deviations out. */
const FARTHEST = 1e6;

/** Added to the squared distance, so that its logarithm is finite. */
const NEAREST = 1e-9;

/**
 * Adds the nodes that score samples by distances. Detectors of about the same width are computed by one product: at a
 * batch of one image, a network's many small nodes cost more than their arithmetic.
 *
 * @param name of the result, `[batch, detectors]`
 * @param addScores adds the scores of detectors of one width, `[detectors, batch, 1]`
 */
export function addDistanceScores<T extends TapDetector>(
  graph: GraphBuilder,
  detectors: readonly T[],
  name: string,
  addScores: (same: WidthGroup<T>) => string,
): void {
  const all = new NodeScope(graph, name);
  const z = addStandardized(detectors, all);

  const starts: number[] = [];
  let total = 0;
  for (const { scaler } of detectors) {
    starts.push(total);
    total += scaler.mean.length;
  }
  const scores: string[] = [];
  const order: number[] = [];
  for (const [width, members] of byPaddedWidth(detectors)) {
    const nodes = new NodeScope(graph, `${name}/${width}`);
    // What fills up the width is some other feature, which the distances have to multiply by zeros.
    const columns = members.flatMap((d) =>
      Array.from({ length: width }, (_, j) => (j < detectors[d].scaler.mean.length ? starts[d] + j : 0)),
    );
    const gathered = nodes.node('Gather', [z, nodes.int64s('columns', columns)], 'gathered', { axis: 1 });
    const table = nodes.int64s('table', [-1, members.length, width]);
    const apart = nodes.node('Reshape', [gathered, table], 'apart');
    const own = addScores({
      detectors: members.map((d) => detectors[d]),
      width,
      features: nodes.node('Transpose', [apart], 'by_detector', { perm: [1, 0, 2] }),
      nodes,
    });
    const rows = nodes.node('Reshape', [own, nodes.int64s('flat', [members.length, -1])], 'rows');
    scores.push(nodes.node('Transpose', [rows], 'scores', { perm: [1, 0] }));
    order.push(...members);
  }
  const together = scores.length > 1 ? all.node('Concat', scores, 'together', { axis: 1 }) : scores[0];
  const places = detectors.map((_, d) => order.indexOf(d));
  graph.node('Gather', [together, all.int64s('places', places)], { name, attributes: { axis: 1 } });
}

/**
 * All detectors' taps side by side, standardised. A mean that is large against the spread would cost digits in float32, and
 * WebGPU has no float64: the mean is subtracted in two parts, of which the first leaves next to nothing to be rounded.
 */
export function addStandardized(detectors: readonly TapDetector[], nodes: NodeScope): string {
  const means = detectors.flatMap(({ scaler }) => [...scaler.mean]);
  const scales = detectors.flatMap(({ scaler }) => [...scaler.scale]);
  const row = (word: string, values: readonly number[]) => nodes.floats(word, [values.length], values);
  const taps = detectors.flatMap((detector) => detector.taps);
  const features = taps.length > 1 ? nodes.node('Concat', taps, 'features', { axis: 1 }) : taps[0];
  const nearly = nodes.node('Sub', [features, row('mean', means)], 'nearly_centred');
  const rest = means.map((mean) => mean - Math.fround(mean));
  const centered = nodes.node('Sub', [nearly, row('mean_rest', rest)], 'centred');
  const scaled = nodes.node('Div', [centered, row('scale', scales)], 'scaled');
  const below = nodes.node('Min', [scaled, nodes.float('highest', FARTHEST)], 'below');
  return nodes.node('Max', [below, nodes.float('lowest', -FARTHEST)], 'near');
}

/** Detectors, by their width filled up to a power of two; but all up to the usual width of a group together. */
function byPaddedWidth(detectors: readonly TapDetector[]): Map<number, number[]> {
  const members = new Map<number, number[]>();
  detectors.forEach(({ scaler }, d) => {
    const width = Math.max(GROUP_WIDTH, 2 ** Math.ceil(Math.log2(scaler.mean.length)));
    members.set(width, [...(members.get(width) ?? []), d]);
  });
  return members;
}

/** The logarithm of squared distances. */
export function addLogarithm<T>({ nodes }: WidthGroup<T>, distances: string): string {
  const positive = nodes.node('Add', [distances, nodes.float('least', NEAREST)], 'positive');
  return nodes.node('Log', [positive], 'logarithm');
}

/** The squared lengths of the rows of a value `[detectors, batch, width]`, `[detectors, batch, 1]`. */
export function addSquaredLengths<T>({ nodes, width }: WidthGroup<T>, rows: string): string {
  const squares = nodes.node('Mul', [rows, rows], 'squares');
  const ones = nodes.floats('ones', [width, 1], new Float32Array(width).fill(1));
  return nodes.node('MatMul', [squares, ones], 'squared_lengths');
}

/**
 * Squared distances |x|² − 2 x·p + |p|² from the rows x of a value `[detectors, batch, width]` to as many points of each
 * detector: `[detectors, batch, points]`.
 *
 * @param pointsOf a detector's points, row-major, each of the detector's own width
 */
export function addDistancesTo<T extends TapDetector>(
  same: WidthGroup<T>,
  rows: string,
  pointsOf: (detector: T) => Float32Array,
): string {
  const { detectors, width, nodes } = same;
  const points = detectors.map(pointsOf);
  const count = points[0].length / detectors[0].scaler.mean.length;
  const columns = new Float32Array(detectors.length * width * count);
  const lengths = new Float32Array(detectors.length * count);
  points.forEach((values, d) => {
    const own = values.length / count;
    values.forEach((value, at) => {
      const point = Math.floor(at / own);
      columns[(d * width + (at % own)) * count + point] = -2 * value;
      lengths[d * count + point] += value * value;
    });
  });
  const products = nodes.node(
    'MatMul',
    [rows, nodes.floats('points', [detectors.length, width, count], columns)],
    'products',
  );
  const own = nodes.floats('points_lengths', [detectors.length, 1, count], lengths);
  const sum = nodes.node('Add', [products, own], 'products_and_lengths');
  return nodes.node('Add', [sum, addSquaredLengths(same, rows)], 'squared_distances');
}
