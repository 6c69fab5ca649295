import type { NodeScope } from '../../graph/node-scope.ts';
import { inverseCholeskyOfLarge } from '../algebra/inverse-cholesky.ts';
import type { Precision } from '../algebra/scatter.ts';
import { symmetricEigen } from '../algebra/symmetric-eigen.ts';
import { headMeans, matrices, scatterBetween, scatterWithin } from './head-moments.ts';
import type { Training } from './training.ts';

/** What is left of head inputs outside the principal space of the training images', about the origin where all logits are 0. */
export interface Residual {
  readonly width: number;
  /** −W⁺ b: W times it, and b, is 0 as far as that is possible. */
  readonly origin: Float64Array;
  /** An orthonormal basis of what is left: (width − dimension) × width. */
  readonly basis: Float64Array;
}

/** Added to the products of the head's weights, as a share of the mean one: rows may depend on each other. */
const RIDGE = 1e-12;

/** The dimension of the principal space that the authors of ViM take for features of a width. */
export function principalDimension(width: number): number {
  if (width >= 2048) return 1000;
  return width >= 768 ? 512 : Math.floor(width / 2);
}

/** Sums in float32 are off by some 1e-7 of a variance: what is left of smaller ones than this share of it would be rounding. */
const LEAST_SHARE = 1e-3;

/** Fits the space that is left beside that of the largest second moments about the origin. */
export function fitResidual(training: Training): Promise<Residual> {
  return training.shared('residual', async () => {
    const origin = await originOf(training);
    const single = await fitIn('float32', training, origin);
    return single.isExact ? single : fitIn('float64', training, origin);
  });
}

/** @returns and whether this precision is enough */
async function fitIn(
  precision: Precision,
  training: Training,
  origin: Float64Array,
): Promise<Residual & { isExact: boolean }> {
  const { mean, count, width } = await headMeans(training, { normalized: false });
  const within = await scatterWithin(training, { normalized: false }, precision);
  const between = await scatterBetween(training, { normalized: false });
  const second = new Float64Array(width * width);
  let variance = 0;
  for (let i = 0; i < width; i++) {
    variance = Math.max(variance, within[i * width + i] / count);
    for (let j = 0; j < width; j++) {
      const at = i * width + j;
      second[at] = (within[at] + between[at]) / count + (mean[i] - origin[i]) * (mean[j] - origin[j]);
    }
  }
  const left = width - principalDimension(width);
  const { values, vectors } = await symmetricEigen(matrices(training), second, width, left);
  const isExact = values[left - 1] >= LEAST_SHARE * variance;
  return { width, origin, basis: vectors, isExact };
}

/** −W⁺ b = −Wᵀ (W Wᵀ)⁻¹ b, or −(Wᵀ W)⁻¹ Wᵀ b where there are more classes than features. */
async function originOf(training: Training): Promise<Float64Array> {
  const { width, classes } = training;
  const weight = Float64Array.from(training.head.weight);
  const bias = Float64Array.from(training.head.bias);
  const columns = transposed(weight, classes, width);
  const isWide = classes <= width;
  const size = isWide ? classes : width;
  const products = await matrices(training).scatter(isWide ? columns : weight, size);
  let trace = 0;
  for (let i = 0; i < size; i++) trace += products[i * size + i];
  for (let i = 0; i < size; i++) products[i * size + i] += (RIDGE * trace) / size || 1;
  const inverse = (await inverseCholeskyOfLarge(matrices(training), products, size))!;
  const solve = (right: Float64Array) => timesTransposed(inverse, times(inverse, right, size), size);
  const solution = isWide ? times(columns, solve(bias), classes) : solve(times(columns, bias, classes));
  return solution.map((value) => -value);
}

/** A b. */
function times(a: Float64Array, b: Float64Array, width: number): Float64Array {
  return Float64Array.from({ length: a.length / width }, (_, i) => {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += a[i * width + j] * b[j];
    return sum;
  });
}

/** Aᵀ b of a square A. */
function timesTransposed(a: Float64Array, b: Float64Array, size: number): Float64Array {
  const product = new Float64Array(size);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) product[j] += a[i * size + j] * b[i];
  return product;
}

function transposed(a: Float64Array, rows: number, columns: number): Float64Array {
  const turned = new Float64Array(a.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) turned[j * rows + i] = a[i * columns + j];
  return turned;
}

/** Adds the length of what is left of head inputs, `[batch, 1]`. */
export function addResidualLength(
  nodes: NodeScope,
  { width, origin, basis }: Residual,
  headInput: string,
): string {
  const centered = nodes.node('Sub', [headInput, nodes.floats('origin', [width], origin)], 'centred');
  const rows = nodes.floats('basis', [basis.length / width, width], basis);
  const left = nodes.node('Gemm', [centered, rows], 'left', { transB: 1 });
  return nodes.reduce('ReduceL2', left, 1, 'left_length');
}
