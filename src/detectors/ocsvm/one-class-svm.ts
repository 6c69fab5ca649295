import { DetectorError } from '../../common/errors.ts';
import {
  type DualSolution,
  dualObjective,
  feasibleStart,
  type StopWhen,
  solveDual,
  supportIndices,
} from './dual.ts';
import { gradientRoundoff, type Points, type Precision, type RbfKernel, unitRoundoff } from './rbf-kernel.ts';

export interface OneClassSvmOptions {
  /** Upper bound on the share of training points outside, lower bound on the share of support vectors; (0, 1]. */
  readonly nu: number;
  /** Width of the RBF kernel exp(−γ|a − b|²); positive. */
  readonly gamma: number;
  /** Largest violation of the optimality conditions, as LIBSVM's `tol`; 1e-3 there. Never more than ¼ % of rho. */
  readonly tolerance: number;
}

/** A fitted one-class SVM: f(x) = Σ_j alpha_j K(sv_j, x) − rho; f > 0 is inside. */
export interface OneClassSvm {
  readonly gamma: number;
  /** Support vectors as kernel points. */
  readonly supportVectors: Points;
  /** Their multipliers, in (0, 1]. */
  readonly alpha: Float64Array;
  readonly rho: number;
  /** ½ a'Ka. */
  readonly objective: number;
  /** The dual solution over all training points: a start for the next fit. */
  readonly dual: DualSolution;
  /** Whether the solver met its criterion; `false` where `stopWhen` ended it. */
  readonly finished: boolean;
}

/**
 * Fits a one-class SVM with an RBF kernel (Schölkopf et al. 2001), to LIBSVM's stopping criterion.
 *
 * @param points n training points of `kernel.points`
 * @param start multipliers of an earlier fit to the same points in the same order, or to their first few
 * @param stopWhen asked as the duality gap shrinks; `true` ends the fit unfinished
 * @throws DetectorError for ν, γ or the tolerance out of range, no points, features that are not finite or too large
 * for the kernel's precision, and where rounding keeps the solver from converging (see `precisionFor`)
 */
export async function fitOneClassSvm(
  kernel: RbfKernel,
  points: Points,
  { nu, gamma, tolerance }: OneClassSvmOptions,
  start?: Float64Array,
  stopWhen?: StopWhen,
): Promise<OneClassSvm> {
  if (!(nu > 0 && nu <= 1)) throw new DetectorError('one-class SVM', `nu is ${nu}`, 'it lies in (0, 1]');
  if (!(gamma > 0)) throw new DetectorError('one-class SVM', `gamma is ${gamma}`, 'it is positive');
  if (!(tolerance > 0))
    throw new DetectorError('one-class SVM', `the tolerance is ${tolerance}`, 'it is positive');
  if (points.count === 0) throw new DetectorError('one-class SVM', 'no training points');
  checkRange(kernel.precision, points, gamma);
  const first = feasibleStart(points.count, nu, start);
  const { finished, ...dual } = await solveDual(kernel, points, gamma, first, tolerance, stopWhen);
  const support = supportIndices(dual.alpha);
  const alpha = Float64Array.from(support, (i) => dual.alpha[i]);
  const supportVectors = kernel.gather(points, support);
  return { gamma, supportVectors, alpha, rho: offset(dual), objective: dualObjective(dual), dual, finished };
}

/**
 * The precision that a fit needs: float32, unless its rounding errors come near to what the fit resolves.
 *
 * @param count training points
 * @param squaredNorm the largest |x|² among them
 */
export function precisionFor(
  { nu, gamma, tolerance }: OneClassSvmOptions,
  count: number,
  squaredNorm: number,
): Precision {
  // A gradient sums multipliers that are ν n together.
  const gradientError = nu * count * gradientRoundoff.float32;
  const kernelError = gamma * squaredNorm * unitRoundoff.float32;
  return gradientError < 0.2 * tolerance && kernelError < 1e-4 ? 'float32' : 'float64';
}

/** f at each point: positive inside, zero or negative outside. */
export async function decisionFunction(
  kernel: RbfKernel,
  { supportVectors, alpha, rho, gamma }: Pick<OneClassSvm, 'supportVectors' | 'alpha' | 'rho' | 'gamma'>,
  points: Points,
): Promise<Float64Array> {
  const values = new Float64Array(points.count).fill(-rho);
  await kernel.addExpansion(values, points, supportVectors, alpha, gamma);
  return values;
}

/** The kernel's exponent is a difference of numbers as large as γ|x|²: beyond some point nothing is left of it. */
function checkRange(precision: Precision, { values, count, width }: Points, gamma: number): void {
  for (let i = 0; i < count; i++) {
    const squaredNorm = values[i * (width + 2) + width];
    if (!Number.isFinite(squaredNorm))
      throw new DetectorError('one-class SVM', 'a training feature is not a finite number');
    if (gamma * squaredNorm * unitRoundoff[precision] > 0.1)
      throw new DetectorError(
        'one-class SVM',
        `training point ${i} lies ${Math.sqrt(squaredNorm).toPrecision(3)} from the origin, too far for ${precision} at gamma ${gamma}`,
        `standardise the features${precision === 'float32' ? ', or take the float64 kernel' : ''}`,
      );
  }
}

/** rho as LIBSVM: the mean gradient of the free multipliers, else the middle of what the bounded ones allow. */
function offset({ alpha, gradient }: DualSolution): number {
  let free = 0;
  let sum = 0;
  let below = Number.NEGATIVE_INFINITY;
  let above = Number.POSITIVE_INFINITY;
  for (let i = 0; i < alpha.length; i++) {
    if (alpha[i] > 0 && alpha[i] < 1) {
      free++;
      sum += gradient[i];
    } else if (alpha[i] === 0) above = Math.min(above, gradient[i]);
    else below = Math.max(below, gradient[i]);
  }
  if (free > 0) return sum / free;
  if (below === Number.NEGATIVE_INFINITY) return above;
  if (above === Number.POSITIVE_INFINITY) return below;
  return (below + above) / 2;
}
