import { inverseCholesky } from '../common/cholesky.ts';
import { DetectorError } from '../common/errors.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { ElementType, type ModelProto } from '../graph/onnx.ts';
import { encodeModel } from '../graph/write.ts';
import * as ort from '../runtime/onnxruntime.ts';
import { groupLabel, type TapGroup } from './layer-detectors.ts';
import { type StandardScaler, standardise } from './standard-scaler.ts';

/** Added to every variance, of 1: directions in which the features do not vary at all would count without bound. */
const RIDGE = 1e-3;

/** Rows multiplied at once. */
const BLOCK = 2048;

/** Computes covariances one after the other; its onnxruntime sessions serve them all. */
export class CovarianceFitter {
  readonly #products: ort.InferenceSession;
  readonly #whitening: ort.InferenceSession;

  private constructor(products: ort.InferenceSession, whitening: ort.InferenceSession) {
    this.#products = products;
    this.#whitening = whitening;
  }

  /** @param threads of one matrix product */
  static async open(threads: number): Promise<CovarianceFitter> {
    const open = (graph: ModelProto) =>
      ort.InferenceSession.create(encodeModel(graph), ort.takingTurns(threads));
    return new CovarianceFitter(await open(productsGraph()), await open(whiteningGraph()));
  }

  /**
   * L⁻¹ of the covariance L Lᵀ of a group's standardised features, width × width, row-major: a product with it makes them
   * uncorrelated, each of variance 1.
   *
   * @param centres of k classes, k × width: each row is centred by its class's; by 0 where absent
   * @throws DetectorError where the covariance cannot be inverted
   */
  async whitening(
    { features, width, taps, labels }: TapGroup,
    scaler: StandardScaler,
    centres?: Float64Array,
  ): Promise<Float32Array> {
    const covariance = new Float64Array(width * width);
    for (let start = 0; start < features.length; start += BLOCK * width) {
      const block = standardise(scaler, features.subarray(start, start + BLOCK * width));
      const first = start / width;
      if (centres)
        for (let at = 0; at < block.length; at++)
          block[at] -= centres[labels[first + Math.floor(at / width)] * width + (at % width)];
      const rows = new ort.Tensor('float32', Float32Array.from(block), [block.length / width, width]);
      const { products } = await this.#products.run({ rows });
      const sums = products.data as Float32Array;
      for (let i = 0; i < covariance.length; i++) covariance[i] += sums[i];
    }
    const count = features.length / width;
    for (let i = 0; i < covariance.length; i++) covariance[i] /= count;
    for (let j = 0; j < width; j++) covariance[j * width + j] += RIDGE;
    const whitening = inverseCholesky(covariance, width);
    if (!whitening)
      throw new DetectorError(groupLabel(taps), 'the covariance of their features cannot be inverted');
    return Float32Array.from(whitening);
  }

  /** A group's standardised features times L⁻¹, n × width, row-major. */
  async whiten(
    { features, width }: TapGroup,
    scaler: StandardScaler,
    whitening: Float32Array,
  ): Promise<Float32Array> {
    const all = new Float32Array(features.length);
    const factor = new ort.Tensor('float32', whitening, [width, width]);
    for (let start = 0; start < features.length; start += BLOCK * width) {
      const block = Float32Array.from(standardise(scaler, features.subarray(start, start + BLOCK * width)));
      const rows = new ort.Tensor('float32', block, [block.length / width, width]);
      const { whitened } = await this.#whitening.run({ rows, factor });
      all.set(whitened.data as Float32Array, start);
    }
    return all;
  }
}

/** rows [n, d] → products [d, d], rowsᵀ rows */
function productsGraph() {
  const graph = new GraphBuilder('products');
  graph.input('rows', ElementType.float, ['n', 'd']);
  graph.node('Gemm', ['rows', 'rows'], { name: 'products', attributes: { transA: 1 } });
  graph.output('products', ElementType.float, ['d', 'd']);
  return graph.build();
}

/** rows [n, d], factor [d, d] → whitened [n, d], rows factorᵀ */
function whiteningGraph() {
  const graph = new GraphBuilder('whitening');
  graph.input('rows', ElementType.float, ['n', 'd']);
  graph.input('factor', ElementType.float, ['d', 'd']);
  graph.node('Gemm', ['rows', 'factor'], { name: 'whitened', attributes: { transB: 1 } });
  graph.output('whitened', ElementType.float, ['n', 'd']);
  return graph.build();
}
