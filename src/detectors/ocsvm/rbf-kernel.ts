import type { DType } from '../../common/tensor.ts';
import { GraphBuilder } from '../../graph/builder.ts';
import { ElementType } from '../../graph/onnx.ts';
import { encodeModel } from '../../graph/write.ts';
import * as ort from '../../runtime/onnxruntime.ts';

export type Precision = 'float32' | 'float64';
export type FloatArray = Float32Array | Float64Array;

/** Largest relative error of one rounding. */
export const unitRoundoff: Readonly<Record<Precision, number>> = { float32: 2 ** -24, float64: 2 ** -53 };

/** Largest error of a sum of weighted kernel values that was seen in trials, as a share of the sum of its terms. */
export const gradientRoundoff: Readonly<Record<Precision, number>> = { float32: 2 ** -21, float64: 2 ** -50 };

/** Centres of one onnxruntime call, and points for each of its threads: 512 × 512 kernel values fit a core's second-level cache. */
const BLOCK = 512;

/**
 * The RBF kernel exp(−γ|a − b|²) by matrix multiplication on onnxruntime.
 *
 * The exponent is one dot product of two augmented vectors, so that no elementwise pass follows the multiplication:
 * `row(a) = [2γa, −γ, −γ|a|²]`, `point(b) = [b, |b|², 1]`, `row · point = −γ|a − b|²`. Points do not depend on γ: they
 * are augmented once and serve every γ of the grid. In float32 the sum cancels where |a|² and |b|² are large against
 * |a − b|²: centre the features first (the standard scaler does).
 */
export class RbfKernel {
  readonly precision: Precision;
  readonly #threads: number;
  readonly #expansion: ort.InferenceSession;
  readonly #matrix: ort.InferenceSession;

  private constructor(
    precision: Precision,
    threads: number,
    expansion: ort.InferenceSession,
    matrix: ort.InferenceSession,
  ) {
    this.precision = precision;
    this.#threads = threads;
    this.#expansion = expansion;
    this.#matrix = matrix;
  }

  /**
   * Opens the kernel's graphs. Sessions leak a little when they are released: open one kernel a thread, and keep it.
   *
   * @param precision `precisionFor` says which a fit needs
   * @param threads onnxruntime threads of one call
   */
  static async open(precision: Precision = 'float32', threads = 1): Promise<RbfKernel> {
    const options = ort.takingTurns(threads);
    return new RbfKernel(
      precision,
      threads,
      await ort.openSession(encodeModel(expansionGraph(precision)), options),
      await ort.openSession(encodeModel(matrixGraph(precision)), options),
    );
  }

  /** Augments n × d features to n × (d + 2) points. */
  points(features: FloatArray, width: number): Points {
    const count = features.length / width;
    const stride = width + 2;
    const values = this.#array(count * stride);
    for (let i = 0, from = 0, to = 0; i < count; i++, to += 2) {
      let norm = 0;
      for (let j = 0; j < width; j++) {
        const value = features[from++];
        values[to++] = value;
        norm += value * value;
      }
      values[to] = norm;
      values[to + 1] = 1;
    }
    return { values, count, width };
  }

  /** The points of the given indices, copied together. */
  gather({ values, width }: Points, indices: ArrayLike<number>): Points {
    const stride = width + 2;
    const gathered = this.#array(indices.length * stride);
    for (let i = 0; i < indices.length; i++)
      gathered.set(values.subarray(indices[i] * stride, (indices[i] + 1) * stride), i * stride);
    return { values: gathered, count: indices.length, width };
  }

  /** The full kernel matrix of a few points, `count × count`, row-major. */
  async matrix(points: Points, gamma: number): Promise<FloatArray> {
    const rows = this.#rows(points, gamma);
    const { kernel } = await this.#matrix.run({
      rows,
      points: this.#tensor(points.values, [points.count, points.width + 2]),
    });
    return kernel.data as FloatArray;
  }

  /**
   * Adds Σ_j weights[j] K(centres_j, point_i) to `sums[i]` for every point i. The kernel values are never kept: a
   * block of them is made, weighted and forgotten inside one graph run.
   */
  async addExpansion(
    sums: Float64Array,
    points: Points,
    centers: Points,
    weights: Float64Array,
    gamma: number,
  ): Promise<void> {
    const stride = points.width + 2;
    const pointsOfCall = BLOCK * this.#threads;
    for (let first = 0; first < centers.count; first += BLOCK) {
      const last = Math.min(first + BLOCK, centers.count);
      const block = {
        values: centers.values.subarray(first * stride, last * stride),
        count: last - first,
        width: centers.width,
      };
      const rows = this.#rows(block, gamma);
      const blockWeights = this.#array(last - first);
      blockWeights.set(weights.subarray(first, last));
      const weightTensor = this.#tensor(blockWeights, [last - first, 1]);
      for (let start = 0; start < points.count; start += pointsOfCall) {
        const end = Math.min(start + pointsOfCall, points.count);
        const { sum } = await this.#expansion.run({
          rows,
          weights: weightTensor,
          points: this.#tensor(points.values.subarray(start * stride, end * stride), [end - start, stride]),
        });
        const data = sum.data as FloatArray;
        for (let i = start; i < end; i++) sums[i] += data[i - start];
      }
    }
  }

  #rows({ values, count, width }: Points, gamma: number): ort.Tensor {
    const stride = width + 2;
    const rows = this.#array(count * stride);
    for (let at = 0; at < rows.length; at += stride) {
      for (let j = 0; j < width; j++) rows[at + j] = 2 * gamma * values[at + j];
      rows[at + width] = -gamma;
      rows[at + width + 1] = -gamma * values[at + width];
    }
    return this.#tensor(rows, [count, stride]);
  }

  #array(length: number): FloatArray {
    return this.precision === 'float32' ? new Float32Array(length) : new Float64Array(length);
  }

  #tensor(values: FloatArray, shape: number[]): ort.Tensor {
    return ort.tensor(this.precision, values, shape);
  }
}

/** Features augmented for the kernel: row-major `count × (width + 2)`, each row `[x, |x|², 1]`. */
export interface Points {
  readonly values: FloatArray;
  readonly count: number;
  readonly width: number;
}

/**
 * rows [q, e], points [c, e], weights [q, 1] → sum [c, 1]. A thread has all kernel values of its points: the other way
 * round each would need those that the others made.
 */
function expansionGraph(precision: Precision) {
  const { graph, type } = kernelGraph('kernel_expansion', precision, ['points', 'rows']);
  graph.input('weights', type, ['rows', 1]);
  graph.node('MatMul', ['kernel', 'weights'], { name: 'sum' });
  graph.output('sum', type, ['points', 1]);
  return graph.build();
}

/** rows [q, e], points [c, e] → kernel [q, c] */
function matrixGraph(precision: Precision) {
  const { graph, type } = kernelGraph('kernel_matrix', precision, ['rows', 'points']);
  graph.output('kernel', type, ['rows', 'points']);
  return graph.build();
}

function kernelGraph(name: string, precision: DType, factors: readonly [string, string]) {
  const type = precision === 'float32' ? ElementType.float : ElementType.double;
  const graph = new GraphBuilder(name);
  graph.input('rows', type, ['rows', 'augmented']);
  graph.input('points', type, ['points', 'augmented']);
  graph.node('Gemm', factors, { name: 'exponent', attributes: { transB: 1 } });
  graph.node('Exp', ['exponent'], { name: 'kernel' });
  return { graph, type };
}
