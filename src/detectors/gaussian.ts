import { inverseCholesky } from '../common/cholesky.ts';
import { DetectorError } from '../common/errors.ts';
import type { Tensor } from '../common/tensor.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { ElementType } from '../graph/onnx.ts';
import { encodeModel } from '../graph/write.ts';
import * as ort from '../runtime/onnxruntime.ts';
import { fitStandardScaler, type StandardScaler, standardise } from './standard-scaler.ts';

/** A Gaussian of the pooled values of a few neighbouring taps. */
export interface GaussianDetector {
  readonly taps: readonly string[];
  readonly scaler: StandardScaler;
  /** L⁻¹ of the standardised features' covariance L Lᵀ: width × width, row-major. */
  readonly whitening: Float32Array;
}

/** Channels that one Gaussian watches together, where a single tap has not more. */
export const GROUP_WIDTH = 128;

/** Added to every variance, of 1: directions in which the features do not vary at all would count without bound. */
const RIDGE = 1e-3;

/** Rows multiplied at once. */
const BLOCK = 2048;

/** Standardised features are cut off here, a million standard deviations out. */
const FARTHEST = 1e6;

/** Added to the squared distance, so that its logarithm is finite. */
const NEAREST = 1e-9;

/**
 * Neighbouring taps that are watched together: how channels of successive layers vary with each other says more than
 * each layer by itself, as long as there are samples enough for their covariance.
 *
 * @param widths channels of each tap, in the network's order
 * @returns indices of the taps of each group
 */
export function groupTaps(widths: readonly number[]): number[][] {
  const groups: number[][] = [];
  let room = 0;
  widths.forEach((width, tap) => {
    if (width > room || groups.length === 0) {
      groups.push([]);
      room = GROUP_WIDTH;
    }
    groups[groups.length - 1].push(tap);
    room -= width;
  });
  return groups;
}

/** Fits Gaussians one after the other; its onnxruntime session serves them all. */
export class GaussianFitter {
  readonly #products: ort.InferenceSession;

  private constructor(products: ort.InferenceSession) {
    this.#products = products;
  }

  /** @param threads of one matrix product */
  static async open(threads: number): Promise<GaussianFitter> {
    const graph = encodeModel(productsGraph());
    return new GaussianFitter(await ort.InferenceSession.create(graph, ort.takingTurns(threads)));
  }

  /**
   * Fits mean and covariance of pooled InD features.
   *
   * @param taps their names, for the detector and for errors
   * @param features n × width, row-major
   * @throws DetectorError where a feature is not finite
   */
  async fit(taps: readonly string[], features: Float32Array, width: number): Promise<GaussianDetector> {
    const where = `layers ${taps[0]} to ${taps[taps.length - 1]}`;
    if (!features.every(Number.isFinite)) throw new DetectorError(where, 'a feature is not a finite number');
    const scaler = fitStandardScaler(features, width);
    const covariance = new Float64Array(width * width);
    for (let start = 0; start < features.length; start += BLOCK * width) {
      const block = features.subarray(start, start + BLOCK * width);
      const rows = Float32Array.from(standardise(scaler, block));
      const { products } = await this.#products.run({
        rows: new ort.Tensor('float32', rows, [rows.length / width, width]),
      });
      const sums = products.data as Float32Array;
      for (let i = 0; i < covariance.length; i++) covariance[i] += sums[i];
    }
    const count = features.length / width;
    for (let i = 0; i < covariance.length; i++) covariance[i] /= count;
    for (let j = 0; j < width; j++) covariance[j * width + j] += RIDGE;
    const whitening = inverseCholesky(covariance, width);
    if (!whitening) throw new DetectorError(where, 'the covariance of their features cannot be inverted');
    return { taps, scaler, whitening: Float32Array.from(whitening) };
  }
}

/**
 * Adds the nodes that score samples by Gaussians: the logarithms of the squared Mahalanobis distances. Gaussians of about
 * the same width are whitened by one product: at a batch of one image, a network's many small nodes cost more than their
 * arithmetic. Operators mean the same in every opset from 7 on, so that they can follow whatever network.
 *
 * @param name of the result, `[batch, detectors]`
 */
export function addGaussianScores(
  graph: GraphBuilder,
  detectors: readonly GaussianDetector[],
  name: string,
): void {
  const constant = (part: string, tensor: Tensor) => graph.initializer(`${name}/${part}`, tensor);
  const node = (opType: string, inputs: readonly string[], part: string, attributes = {}) =>
    graph.node(opType, inputs, { name: `${name}/${part}`, attributes });
  const z = addStandardised(detectors, node, constant);

  const starts: number[] = [];
  let total = 0;
  for (const { scaler } of detectors) {
    starts.push(total);
    total += scaler.mean.length;
  }
  const scores: string[] = [];
  const order: number[] = [];
  for (const [width, members] of byPaddedWidth(detectors)) {
    const part = (what: string) => `${what}_${width}`;
    const columns = new BigInt64Array(members.length * width);
    const whitening = new Float32Array(members.length * width * width);
    members.forEach((d, m) => {
      const { scaler, whitening: own } = detectors[d];
      const ownWidth = scaler.mean.length;
      for (let j = 0; j < ownWidth; j++) columns[m * width + j] = BigInt(starts[d] + j);
      // Transposed; what fills up the width is multiplied by zeros.
      for (let i = 0; i < ownWidth; i++)
        for (let j = 0; j < ownWidth; j++) whitening[(m * width + j) * width + i] = own[i * ownWidth + j];
    });
    const shape = [members.length, width, width];
    const chosen = constant(part('columns'), { dtype: 'int64', shape: [columns.length], data: columns });
    const gathered = node('Gather', [z, chosen], part('gathered'), { axis: 1 });
    const table = graph.int64s(`${name}/${part('table')}`, [-1, members.length, width]);
    const apart = node('Reshape', [gathered, table], part('apart'));
    const first = node('Transpose', [apart], part('by_detector'), { perm: [1, 0, 2] });
    const factors = constant(part('whitening'), { dtype: 'float32', shape, data: whitening });
    const white = node('MatMul', [first, factors], part('whitened'));
    const squares = node('Mul', [white, white], part('squares'));
    const ones: Tensor = { dtype: 'float32', shape: [width, 1], data: new Float32Array(width).fill(1) };
    const distance = node('MatMul', [squares, constant(part('ones'), ones)], part('distance'));
    const flat = graph.int64s(`${name}/${part('flat')}`, [members.length, -1]);
    const rows = node('Reshape', [distance, flat], part('rows'));
    scores.push(node('Transpose', [rows], part('distances'), { perm: [1, 0] }));
    order.push(...members);
  }
  const together = node('Concat', scores, 'together', { axis: 1 });
  const places = detectors.map((_, d) => order.indexOf(d));
  const sorted = node('Gather', [together, graph.int64s(`${name}/places`, places)], 'sorted', { axis: 1 });
  const least = constant('nearest', { dtype: 'float32', shape: [], data: Float32Array.of(NEAREST) });
  graph.node('Log', [node('Add', [sorted, least], 'positive')], { name });
}

type AddNode = (opType: string, inputs: readonly string[], part: string, attributes?: object) => string;

/** All detectors' taps side by side, standardised; in float64, as a mean that is large against the spread costs digits. */
function addStandardised(
  detectors: readonly GaussianDetector[],
  node: AddNode,
  constant: (part: string, tensor: Tensor) => string,
): string {
  const all = (of: (scaler: StandardScaler) => Float64Array): Tensor => {
    const data = Float64Array.from(detectors.flatMap(({ scaler }) => [...of(scaler)]));
    return { dtype: 'float64', shape: [data.length], data };
  };
  const limit = (value: number): Tensor => ({ dtype: 'float32', shape: [], data: Float32Array.of(value) });
  const taps = detectors.flatMap((detector) => detector.taps);
  const features = taps.length > 1 ? node('Concat', taps, 'features', { axis: 1 }) : taps[0];
  const double = node('Cast', [features], 'double', { to: ElementType.double });
  const centred = node(
    'Sub',
    [
      double,
      constant(
        'mean',
        all(({ mean }) => mean),
      ),
    ],
    'centred',
  );
  const scaled = node(
    'Div',
    [
      centred,
      constant(
        'scale',
        all(({ scale }) => scale),
      ),
    ],
    'scaled',
  );
  const single = node('Cast', [scaled], 'standardised', { to: ElementType.float });
  const below = node('Min', [single, constant('highest', limit(FARTHEST))], 'below');
  return node('Max', [below, constant('lowest', limit(-FARTHEST))], 'near');
}

/** Detectors, by their width filled up to a power of two; but all up to the usual width of a group together. */
function byPaddedWidth(detectors: readonly GaussianDetector[]): Map<number, number[]> {
  const members = new Map<number, number[]>();
  detectors.forEach(({ scaler }, d) => {
    const width = Math.max(GROUP_WIDTH, 2 ** Math.ceil(Math.log2(scaler.mean.length)));
    members.set(width, [...(members.get(width) ?? []), d]);
  });
  return members;
}

/** rows [n, d] → products [d, d], rowsᵀ rows */
function productsGraph() {
  const graph = new GraphBuilder('products');
  graph.input('rows', ElementType.float, ['n', 'd']);
  graph.node('Gemm', ['rows', 'rows'], { name: 'products', attributes: { transA: 1 } });
  graph.output('products', ElementType.float, ['d', 'd']);
  return graph.build();
}
