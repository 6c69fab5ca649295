import { DetectorError } from '../../common/errors.ts';
import { select } from '../../common/select.ts';
import { gradientRoundoff, type Points, type RbfKernel } from './rbf-kernel.ts';
import { solveSubproblem } from './subproblem.ts';
import { WorkingSetSelection } from './working-set.ts';

/**
 * The dual of the one-class SVM (Schölkopf et al., "Estimating the support of a high-dimensional distribution", 2001,
 * in LIBSVM's scaling): minimise ½ a'Ka with 0 ≤ a_i ≤ 1 and Σ a_i = ν n.
 */
export interface DualSolution {
  /** n multipliers in [0, 1]. */
  readonly alpha: Float64Array;
  /** Ka, n values: the decision function is `gradient − rho`. */
  readonly gradient: Float64Array;
}

/** Asked whenever the duality gap has shrunk: `true` ends the fit, as what it would find is of no use. */
export type StopWhen = (dual: DualSolution, gap: number) => Promise<boolean>;

/**
 * Violation that is allowed as a share of the gradients themselves. A kernel that is narrow against the data makes them
 * as small as ν, and LIBSVM's tolerance of 1e-3 would then leave the objective 2 to 8 % above its minimum and the signs
 * of the decision values to chance. Of this share, the objective's relative error is up to 0.1 times the square. A larger
 * share ends a fit earlier, and proves later that a candidate loses (see `certainlyOutside`): 1 % takes a sixth longer.
 */
export const RELATIVE_TOLERANCE = 0.0025;

/** Subproblems, and computations of all gradients anew, that may pass without progress. */
const PATIENCE = { subproblems: 20, renewals: 5 };

/** The gap is looked at each time that it has shrunk to this share. */
const GAP_STEP = 0.7;

/**
 * Solves the dual to LIBSVM's criterion or tighter: the largest gradient of a point that could shrink exceeds the
 * smallest of a point that could grow by at most `tolerance`, and by at most ¼ % of itself, over all points.
 *
 * Decomposition with large working sets (Wen et al., "ThunderSVM", JMLR 2018): the 512 worst violators are optimised
 * together, then their kernel columns, made by one matrix multiplication, correct the gradients of all points. A column
 * is computed some 2.6 times for each support vector in the end, whatever the size of the working sets (256 to 2,048
 * were tried), and kernel values are nearly all of the time: shrinking to an active set saves rows of columns but costs
 * as much for the gradients of the others at its end.
 *
 * @param start feasible multipliers, for instance the solution for a smaller γ (see `feasibleStart`); not changed
 * @param stopWhen asked as the gap shrinks
 * @returns the solution, and whether it meets the criterion: it does, unless `stopWhen` ended the solver
 * @throws DetectorError where rounding keeps the criterion from being met
 */
export async function solveDual(
  kernel: RbfKernel,
  points: Points,
  gamma: number,
  start: Float64Array,
  tolerance: number,
  stopWhen?: StopWhen,
): Promise<DualSolution & { finished: boolean }> {
  const dual = { alpha: start.slice(), gradient: await gradients(kernel, points, gamma, start) };
  const roundoff = gradientRoundoff[kernel.precision];
  let closest = Number.POSITIVE_INFINITY;
  let stalled = 0;
  for (;;) {
    const { highest, gap, limit } = violation(dual, tolerance);
    // Gradients that are rounded this much may look equal and not be.
    if (roundoff * highest > limit) throw unsolved(kernel, roundoff * highest, limit);
    if (gap <= limit) return { ...dual, finished: true };
    // What is left over by exact gradients is rounding error: it may shrink for a while, not for ever.
    stalled = gap / limit < 0.9 * closest ? 0 : stalled + 1;
    closest = Math.min(closest, gap / limit);
    if (stalled > PATIENCE.renewals) throw unsolved(kernel, gap, limit);
    const end = await decompose(kernel, points, gamma, dual, tolerance, stopWhen);
    if (end === 'stopped') return { ...dual, finished: false };
    if (end !== 'stalled' && roundoff * end.carried <= 0.1 * end.limit) return { ...dual, finished: true };
    dual.gradient.set(await gradients(kernel, points, gamma, dual.alpha));
  }
}

/**
 * A feasible start for n points: Σ = ν n, each in [0, 1]. Multipliers of an earlier solution are scaled to the sum;
 * without one, the first ν n points get 1, as in LIBSVM.
 */
export function feasibleStart(n: number, nu: number, earlier?: Float64Array): Float64Array {
  const alpha = new Float64Array(n);
  let left = nu * n;
  if (earlier) {
    const sum = earlier.reduce((a, b) => a + b, 0);
    for (let i = 0; i < earlier.length; i++) {
      alpha[i] = Math.min(1, (earlier[i] * nu * n) / sum);
      left -= alpha[i];
    }
  }
  for (let i = 0; i < n && left > 0; i++) {
    const step = Math.min(1 - alpha[i], left);
    alpha[i] += step;
    left -= step;
  }
  return alpha;
}

/** Indices of the points whose multiplier is not zero. */
export function supportIndices(alpha: Float64Array): Uint32Array {
  const indices: number[] = [];
  for (let i = 0; i < alpha.length; i++) if (alpha[i] > 0) indices.push(i);
  return Uint32Array.from(indices);
}

/** ½ a'Ka. */
export function dualObjective({ alpha, gradient }: DualSolution): number {
  let sum = 0;
  for (let i = 0; i < alpha.length; i++) sum += alpha[i] * gradient[i];
  return sum / 2;
}

/**
 * How far the objective is above its minimum at most: the sum of this and the primal objective of w = Σ a_i φ(x_i) with
 * the best rho for it, a'Ka − ρ Σ a + Σ max(0, ρ − (Ka)_i).
 */
export function dualityGap({ alpha, gradient }: DualSolution): number {
  const sum = alpha.reduce((a, b) => a + b, 0);
  const rho = select(gradient.slice(), Math.min(Math.ceil(sum), alpha.length) - 1);
  let gap = 0;
  for (let i = 0; i < alpha.length; i++)
    gap += alpha[i] * (gradient[i] - rho) + Math.max(0, rho - gradient[i]);
  return gap;
}

/**
 * Working sets of the worst violators, one subproblem after the other; `dual` is changed in place. Ends when the
 * violation is well below what is allowed, then with the sum of all changes that rounding affected, in units of the
 * gradients; or when subproblems no longer lower the objective.
 */
async function decompose(
  kernel: RbfKernel,
  points: Points,
  gamma: number,
  dual: DualSolution,
  tolerance: number,
  stopWhen?: StopWhen,
): Promise<'stopped' | 'stalled' | { carried: number; limit: number }> {
  const { alpha, gradient } = dual;
  const selection = new WorkingSetSelection(alpha.length);
  let objective = 0;
  let least = 0;
  let carried = 0;
  let lastGap = Number.POSITIVE_INFINITY;
  for (let idle = 0; idle < PATIENCE.subproblems; idle++) {
    const { lowest, highest, gap, limit } = violation(dual, tolerance);
    if (gap < 0.8 * limit) return { carried, limit };
    if (stopWhen) {
      const dualGap = dualityGap(dual);
      if (dualGap < GAP_STEP * lastGap) {
        lastGap = dualGap;
        if (await stopWhen(dual, dualGap)) return 'stopped';
      }
    }

    const working = selection.choose(dual, lowest, highest);
    const set = kernel.gather(points, working);
    const before = Float64Array.from(working, (i) => alpha[i]);
    const after = before.slice();
    const slopes = Float64Array.from(working, (i) => gradient[i]);
    // Early subproblems need no precision: other variables will move their gradients anyway.
    await kernel
      .matrix(set, gamma)
      .then((matrix) => solveSubproblem(matrix, after, slopes, Math.max(0.1 * gap, 0.4 * limit)));
    const moved: number[] = [];
    for (let t = 0; t < working.length; t++) if (after[t] !== before[t]) moved.push(t);
    const steps = Float64Array.from(moved, (t) => after[t] - before[t]);
    // The steps sum to zero up to rounding: slopes are taken from `highest`, so that the remainder does not count.
    const slope = () => moved.reduce((sum, t, m) => sum + steps[m] * (gradient[working[t]] - highest), 0);
    objective += 0.5 * slope();
    for (const t of moved) alpha[working[t]] = after[t];
    await kernel.addExpansion(gradient, points, kernel.gather(set, moved), steps, gamma);
    // Kernel values and multipliers are not negative: what is taken from and added to a gradient is at most the
    // gradient before and after.
    carried += 2 * highest;
    // The objective is quadratic: its change is the mean of the slopes at both ends. A pair that violates by more than
    // the tolerance and meets no bound lowers it by a quarter of the tolerance's square.
    objective += 0.5 * slope();
    if (objective < least - 1e-3 * limit ** 2) {
      least = objective;
      idle = 0;
    }
  }
  return 'stalled';
}

/** How far the optimality conditions are from holding, and how far they may be. */
function violation({ alpha, gradient }: DualSolution, tolerance: number) {
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < alpha.length; i++) {
    if (alpha[i] < 1 && gradient[i] < lowest) lowest = gradient[i];
    if (alpha[i] > 0 && gradient[i] > highest) highest = gradient[i];
  }
  return { lowest, highest, gap: highest - lowest, limit: Math.min(tolerance, RELATIVE_TOLERANCE * highest) };
}

async function gradients(
  kernel: RbfKernel,
  points: Points,
  gamma: number,
  alpha: Float64Array,
): Promise<Float64Array> {
  const support = supportIndices(alpha);
  const sums = new Float64Array(points.count);
  const weights = Float64Array.from(support, (i) => alpha[i]);
  await kernel.addExpansion(sums, points, kernel.gather(points, support), weights, gamma);
  return sums;
}

function unsolved({ precision }: RbfKernel, gap: number, limit: number): DetectorError {
  const [left, allowed] = [gap, limit].map((value) => value.toExponential(1));
  return new DetectorError(
    'one-class SVM',
    `does not converge: its optimality conditions may stay violated by ${left} where ${allowed} is allowed, the limit of ${precision}`,
    precision === 'float32' ? 'raise the tolerance or take the float64 kernel' : 'raise the tolerance',
  );
}
