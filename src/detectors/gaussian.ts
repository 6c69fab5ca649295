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
 * Adds the nodes that score samples by a Gaussian: the logarithm of the squared Mahalanobis distance. Its operators mean
 * the same in every opset from 7 on, so that they can follow whatever network.
 *
 * @param name a prefix for its values
 * @returns the name of the score, `[batch, 1]`
 */
export function addGaussianScore(
  graph: GraphBuilder,
  { taps, scaler, whitening }: GaussianDetector,
  name: string,
): string {
  const width = scaler.mean.length;
  const constant = (part: string, tensor: Tensor) => graph.initializer(`${name}/${part}`, tensor);
  const node = (opType: string, inputs: readonly string[], part: string, attributes = {}) =>
    graph.node(opType, inputs, { name: `${name}/${part}`, attributes });
  const float64 = (data: ArrayLike<number>): Tensor => ({
    dtype: 'float64',
    shape: [data.length],
    data: Float64Array.from(data),
  });
  const float32 = (shape: number[], data: Float32Array): Tensor => ({ dtype: 'float32', shape, data });

  const features = taps.length > 1 ? node('Concat', taps, 'features', { axis: 1 }) : taps[0];
  // Standardised in float64: a feature whose mean is large against its spread would lose its digits in float32.
  const double = node('Cast', [features], 'double', { to: ElementType.double });
  const centred = node('Sub', [double, constant('mean', float64(scaler.mean))], 'centred');
  const scaled = node('Div', [centred, constant('scale', float64(scaler.scale))], 'scaled');
  const single = node('Cast', [scaled], 'standardised', { to: ElementType.float });
  const below = node('Min', [single, constant('highest', float32([], Float32Array.of(FARTHEST)))], 'below');
  const z = node('Max', [below, constant('lowest', float32([], Float32Array.of(-FARTHEST)))], 'near');

  const transposed = new Float32Array(width * width);
  for (let i = 0; i < width; i++)
    for (let j = 0; j < width; j++) transposed[j * width + i] = whitening[i * width + j];
  const white = node('MatMul', [z, constant('whitening', float32([width, width], transposed))], 'whitened');
  const squares = node('Mul', [white, white], 'squares');
  const ones = constant('ones', float32([width, 1], new Float32Array(width).fill(1)));
  const distance = node('MatMul', [squares, ones], 'distance');
  const least = constant('nearest', float32([], Float32Array.of(NEAREST)));
  return node('Log', [node('Add', [distance, least], 'positive')], 'score');
}

/** rows [n, d] → products [d, d], rowsᵀ rows */
function productsGraph() {
  const graph = new GraphBuilder('products');
  graph.input('rows', ElementType.float, ['n', 'd']);
  graph.node('Gemm', ['rows', 'rows'], { name: 'products', attributes: { transA: 1 } });
  graph.output('products', ElementType.float, ['d', 'd']);
  return graph.build();
}
