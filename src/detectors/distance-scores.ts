import type { Tensor } from '../common/tensor.ts';
import type { GraphBuilder } from '../graph/builder.ts';
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
  /** Adds a node, or a constant of float32, whose name is made of the word. Gives the value's name. */
  node(opType: string, inputs: readonly string[], word: string, attributes?: object): string;
  constant(word: string, shape: readonly number[], data: Float32Array): string;
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
  const constant = (word: string, tensor: Tensor) => graph.initializer(`${name}/${word}`, tensor);
  const node: AddNode = (opType, inputs, word, attributes = {}) =>
    graph.node(opType, inputs, { name: `${name}/${word}`, attributes: { ...attributes } });
  const z = addStandardized(detectors, node, constant);

  const starts: number[] = [];
  let total = 0;
  for (const { scaler } of detectors) {
    starts.push(total);
    total += scaler.mean.length;
  }
  const scores: string[] = [];
  const order: number[] = [];
  for (const [width, members] of byPaddedWidth(detectors)) {
    const word = (what: string) => `${what}_${width}`;
    // What fills up the width is some other feature, which the distances have to multiply by zeros.
    const columns = new BigInt64Array(members.length * width);
    members.forEach((d, m) => {
      for (let j = 0; j < detectors[d].scaler.mean.length; j++)
        columns[m * width + j] = BigInt(starts[d] + j);
    });
    const chosen = constant(word('columns'), { dtype: 'int64', shape: [columns.length], data: columns });
    const gathered = node('Gather', [z, chosen], word('gathered'), { axis: 1 });
    const table = graph.int64s(`${name}/${word('table')}`, [-1, members.length, width]);
    const apart = node('Reshape', [gathered, table], word('apart'));
    const own = addScores({
      detectors: members.map((d) => detectors[d]),
      width,
      features: node('Transpose', [apart], word('by_detector'), { perm: [1, 0, 2] }),
      node: (opType, inputs, what, attributes) => node(opType, inputs, word(what), attributes),
      constant: (what, shape, data) => constant(word(what), { dtype: 'float32', shape: [...shape], data }),
    });
    const flat = graph.int64s(`${name}/${word('flat')}`, [members.length, -1]);
    const rows = node('Reshape', [own, flat], word('rows'));
    scores.push(node('Transpose', [rows], word('scores'), { perm: [1, 0] }));
    order.push(...members);
  }
  const together = scores.length > 1 ? node('Concat', scores, 'together', { axis: 1 }) : scores[0];
  const places = detectors.map((_, d) => order.indexOf(d));
  graph.node('Gather', [together, graph.int64s(`${name}/places`, places)], { name, attributes: { axis: 1 } });
}

export type AddNode = (
  opType: string,
  inputs: readonly string[],
  word: string,
  attributes?: object,
) => string;

/**
 * All detectors' taps side by side, standardised. A mean that is large against the spread would cost digits in float32, and
 * WebGPU has no float64: the mean is subtracted in two parts, of which the first leaves next to nothing to be rounded.
 */
export function addStandardized(
  detectors: readonly TapDetector[],
  node: AddNode,
  constant: (word: string, tensor: Tensor) => string,
): string {
  const all = (which: 'mean' | 'scale') => detectors.flatMap(({ scaler }) => [...scaler[which]]);
  const row = (word: string, values: readonly number[]) =>
    constant(word, { dtype: 'float32', shape: [values.length], data: Float32Array.from(values) });
  const means = all('mean');
  const limit = (word: string, value: number) =>
    constant(word, { dtype: 'float32', shape: [], data: Float32Array.of(value) });
  const taps = detectors.flatMap((detector) => detector.taps);
  const features = taps.length > 1 ? node('Concat', taps, 'features', { axis: 1 }) : taps[0];
  const nearly = node('Sub', [features, row('mean', means)], 'nearly_centred');
  const rest = row(
    'mean_rest',
    means.map((mean) => mean - Math.fround(mean)),
  );
  const centered = node('Sub', [nearly, rest], 'centred');
  const scaled = node('Div', [centered, row('scale', all('scale'))], 'scaled');
  const below = node('Min', [scaled, limit('highest', FARTHEST)], 'below');
  return node('Max', [below, limit('lowest', -FARTHEST)], 'near');
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
export function addLogarithm<T>({ node, constant }: WidthGroup<T>, distances: string): string {
  const least = constant('least', [], Float32Array.of(NEAREST));
  return node('Log', [node('Add', [distances, least], 'positive')], 'logarithm');
}

/** The squared lengths of the rows of a value `[detectors, batch, width]`, `[detectors, batch, 1]`. */
export function addSquaredLengths<T>({ node, constant, width }: WidthGroup<T>, rows: string): string {
  const squares = node('Mul', [rows, rows], 'squares');
  const ones = constant('ones', [width, 1], new Float32Array(width).fill(1));
  return node('MatMul', [squares, ones], 'squared_lengths');
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
  const { detectors, width, node, constant } = same;
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
  const products = node(
    'MatMul',
    [rows, constant('points', [detectors.length, width, count], columns)],
    'products',
  );
  const own = constant('points_lengths', [detectors.length, 1, count], lengths);
  const sum = node('Add', [products, own], 'products_and_lengths');
  return node('Add', [sum, addSquaredLengths(same, rows)], 'squared_distances');
}
