import { DetectorError } from '../common/errors.ts';
import { GraphBuilder } from '../graph/builder.ts';
import { ElementType } from '../graph/onnx.ts';
import { encodeModel } from '../graph/write.ts';
import * as ort from '../runtime/onnxruntime.ts';
import { inverseCholeskyOfLarge } from './algebra/inverse-cholesky.ts';
import { Matrices } from './algebra/matrices.ts';
import { groupLabel, type TapGroup } from './layer-detectors.ts';
import { type StandardScaler, standardize } from './standard-scaler.ts';

/** Added to every variance, of 1: directions in which the features do not vary at all would count without bound. */
const RIDGE = 1e-3;

/** Rows multiplied at once. */
const BLOCK = 2048;

/** Computes covariances one after the other; its onnxruntime sessions serve them all. */
export class CovarianceFitter {
  readonly #products: ort.InferenceSession;
  readonly #matrices: Matrices;

  private constructor(products: ort.InferenceSession, matrices: Matrices) {
    this.#products = products;
    this.#matrices = matrices;
  }

  /** @param threads of one matrix product */
  static async open(threads: number): Promise<CovarianceFitter> {
    const options = ort.takingTurns(threads);
    return new CovarianceFitter(
      await ort.openSession(encodeModel(productsGraph()), options),
      new Matrices(options),
    );
  }

  /**
   * L⁻¹ of the covariance L Lᵀ of a group's standardised features, width × width, row-major: a product with it makes them
   * uncorrelated, each of variance 1.
   *
   * @throws DetectorError where the covariance cannot be inverted
   */
  async whitening({ features, width, taps }: TapGroup, scaler: StandardScaler): Promise<Float32Array> {
    const covariance = new Float64Array(width * width);
    for (let start = 0; start < features.length; start += BLOCK * width) {
      const block = standardize(scaler, features.subarray(start, start + BLOCK * width));
      const rows = ort.tensor('float32', Float32Array.from(block), [block.length / width, width]);
      const { products } = await this.#products.run({ rows });
      const sums = products.data as Float32Array;
      for (let i = 0; i < covariance.length; i++) covariance[i] += sums[i];
    }
    const count = features.length / width;
    for (let i = 0; i < covariance.length; i++) covariance[i] /= count;
    for (let j = 0; j < width; j++) covariance[j * width + j] += RIDGE;
    const whitening = await inverseCholeskyOfLarge(this.#matrices, covariance, width);
    if (!whitening)
      throw new DetectorError(groupLabel(taps), 'the covariance of their features cannot be inverted');
    return Float32Array.from(whitening);
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
