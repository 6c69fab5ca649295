import { DetectorError } from '../../common/errors.ts';
import type { Points, RbfKernel } from './rbf-kernel.ts';
import { solveSubproblem } from './subproblem.ts';

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

/** Variables that one subproblem optimises together. */
const WORKING_SET = 512;

/** Points that the first active set has beside the support vectors. */
const FIRST_ACTIVE = 2048;

/**
 * Violation that is allowed as a share of the gradients themselves. A kernel that is narrow against the data makes them
 * as small as ν, and LIBSVM's tolerance of 1e-3 would then leave the objective 2 to 8 % above its minimum and the signs
 * of the decision values to chance. Of this share, the objective's relative error is up to 0.1 times the square.
 */
const RELATIVE_TOLERANCE = 0.01;

/** Rounds over all points, or subproblems of one round, that may pass without progress. */
const PATIENCE = { rounds: 5, subproblems: 20 };

/**
 * Solves the dual to LIBSVM's criterion or tighter: the largest gradient of a point that could shrink exceeds the
 * smallest of a point that could grow by at most `tolerance`, and by at most 1 % of itself, over all points.
 *
 * Most points of a one-class problem end deep inside with a zero multiplier. So the problem is solved on an active set
 * (the support vectors and the points nearest to violating the conditions), the gradients of all points are computed
 * anew from the multipliers, and the points that violate join, until none does.
 *
 * @param alpha a feasible start, for instance the solution for a smaller γ (see `feasibleStart`); not changed
 * @throws DetectorError where rounding keeps the criterion from being met
 */
export async function solveDual(
  kernel: RbfKernel,
  points: Points,
  gamma: number,
  alpha: Float64Array,
  tolerance: number,
): Promise<DualSolution> {
  const solution = { alpha: alpha.slice(), gradient: await gradients(kernel, points, gamma, alpha) };
  let extra = FIRST_ACTIVE;
  let closest = Number.POSITIVE_INFINITY;
  let stalled = 0;
  for (;;) {
    const [lowest, highest] = violation(solution);
    const gap = highest - lowest;
    const limit = Math.min(tolerance, RELATIVE_TOLERANCE * highest);
    if (gap <= limit) return solution;
    // With every point active, what a round leaves over is rounding error: it may shrink for a while, not for ever.
    stalled = gap / limit < 0.9 * closest ? 0 : stalled + 1;
    closest = Math.min(closest, gap / limit);
    if (extra < points.count) stalled = 0;
    if (stalled > PATIENCE.rounds) throw unsolved(kernel, gap, limit);
    const active = activeSet(solution, highest, extra);
    const part = {
      alpha: Float64Array.from(active, (i) => solution.alpha[i]),
      gradient: Float64Array.from(active, (i) => solution.gradient[i]),
    };
    // The gradients carried along inside gather rounding errors: what is left of the tolerance covers them.
    await decompose(kernel, kernel.gather(points, active), gamma, part, 0.8 * limit);
    for (let t = 0; t < active.length; t++) solution.alpha[active[t]] = part.alpha[t];
    solution.gradient.set(await gradients(kernel, points, gamma, solution.alpha));
    extra *= 2;
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

function unsolved({ precision }: RbfKernel, gap: number, limit: number): DetectorError {
  const [left, allowed] = [gap, limit].map((value) => value.toExponential(1));
  return new DetectorError(
    'one-class SVM',
    `does not converge: its optimality conditions stay violated by ${left} where ${allowed} is allowed, the limit of ${precision}`,
    precision === 'float32' ? 'raise the tolerance or take the float64 kernel' : 'raise the tolerance',
  );
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

/** The smallest gradient among the points that can grow, the largest among those that can shrink. */
function violation({ alpha, gradient }: DualSolution): [lowest: number, highest: number] {
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < alpha.length; i++) {
    if (alpha[i] < 1 && gradient[i] < lowest) lowest = gradient[i];
    if (alpha[i] > 0 && gradient[i] > highest) highest = gradient[i];
  }
  return [lowest, highest];
}

/** The support vectors, every point that violates, and up to `extra` more that come nearest to it; ascending. */
function activeSet({ alpha, gradient }: DualSolution, highest: number, extra: number): Uint32Array {
  const outside = gradient.filter((_, i) => alpha[i] === 0).sort();
  let violators = 0;
  while (violators < outside.length && outside[violators] < highest) violators++;
  const limit = outside[Math.min(Math.max(violators, extra), outside.length) - 1] ?? highest;
  const active: number[] = [];
  for (let i = 0; i < alpha.length; i++) if (alpha[i] > 0 || gradient[i] <= limit) active.push(i);
  return Uint32Array.from(active);
}

/**
 * Working sets of the worst violators, one subproblem after the other; `dual` is changed in place. Ends when the largest
 * violation is below `tolerance`, or when subproblems no longer lower the objective.
 */
async function decompose(
  kernel: RbfKernel,
  points: Points,
  gamma: number,
  dual: DualSolution,
  tolerance: number,
): Promise<void> {
  const { alpha, gradient } = dual;
  let objective = 0;
  let least = 0;
  for (let idle = 0; idle < PATIENCE.subproblems; idle++) {
    const [lowest, highest] = violation(dual);
    const gap = highest - lowest;
    if (gap < tolerance) return;
    const working = workingSet(dual, lowest, highest);
    const set = kernel.gather(points, working);
    const before = Float64Array.from(working, (i) => alpha[i]);
    const after = before.slice();
    const slopes = Float64Array.from(working, (i) => gradient[i]);
    // Early subproblems need no precision: other variables will move their gradients anyway.
    await kernel
      .matrix(set, gamma)
      .then((matrix) => solveSubproblem(matrix, after, slopes, Math.max(0.1 * gap, 0.5 * tolerance)));
    const moved: number[] = [];
    for (let t = 0; t < working.length; t++) if (after[t] !== before[t]) moved.push(t);
    const steps = Float64Array.from(moved, (t) => after[t] - before[t]);
    // The steps sum to zero up to rounding: slopes are taken from `highest`, so that the remainder does not count.
    const slope = () => moved.reduce((sum, t, m) => sum + steps[m] * (gradient[working[t]] - highest), 0);
    objective += 0.5 * slope();
    for (const t of moved) alpha[working[t]] = after[t];
    await kernel.addExpansion(gradient, points, kernel.gather(set, moved), steps, gamma);
    // The objective is quadratic: its change is the mean of the slopes at both ends. A pair that violates by more than
    // the tolerance and meets no bound lowers it by a quarter of the tolerance's square.
    objective += 0.5 * slope();
    if (objective < least - 1e-3 * tolerance ** 2) {
      least = objective;
      idle = 0;
    }
  }
}

/** Half of the set are the points that gain most by growing, half those that gain most by shrinking. */
function workingSet({ alpha, gradient }: DualSolution, lowest: number, highest: number): Uint32Array {
  const growing: number[] = [];
  const shrinking: number[] = [];
  for (let i = 0; i < alpha.length; i++) {
    if (alpha[i] < 1 && gradient[i] < highest) growing.push(i);
    if (alpha[i] > 0 && gradient[i] > lowest) shrinking.push(i);
  }
  growing.sort((a, b) => gradient[a] - gradient[b]);
  shrinking.sort((a, b) => gradient[b] - gradient[a]);
  const chosen = new Set<number>();
  const take = (from: number[], until: number) => {
    for (let t = 0; t < from.length && chosen.size < until; t++) chosen.add(from[t]);
  };
  const half = WORKING_SET / 2;
  take(growing, half);
  take(shrinking, WORKING_SET);
  take(growing, WORKING_SET);
  return Uint32Array.from(chosen);
}
