import type { FitOptions } from './layer-svm.ts';
import { certainlyOutside } from './ocsvm/error-bound.ts';
import { decisionFunction, fitOneClassSvm } from './ocsvm/one-class-svm.ts';
import type { Points, RbfKernel } from './ocsvm/rbf-kernel.ts';

/** One candidate for γ. */
export interface GammaTrial {
  readonly gamma: number;
  /** Those of the fit; of as much of it as the proof needed, where it was not finished. */
  readonly supportVectors: number;
  /** Share of the pseudo outliers that are predicted inside; absent where it is of no matter any more. */
  readonly errorOod?: number;
  /** Share of the validation samples that are predicted outside, or a lower bound of it. */
  readonly errorInd: number;
  readonly error: number;
  /** Whether `error` is a lower bound, at least as large as the error of an earlier candidate. */
  readonly isBound: boolean;
}

/** The candidate of the least error, and the multipliers of its fit. */
export interface GammaChoice {
  readonly gamma: number;
  readonly error: number;
  readonly alpha: Float64Array;
}

/** Validation samples that a bound on the error looks at: those that the last finished fit scores as most OOD. */
const SUSPECTS = 4096;

/**
 * Fits every γ, each from what the one before says of its solution, and judges it by samples that it did not see. A candidate whose
 * error on the validation samples alone is no better than the best so far is not judged further; one for which that is
 * proven before its fit has converged (see `certainlyOutside`) is not finished.
 *
 * @param judged validation samples, and pseudo outliers
 * @returns every trial; the best, the first on ties, where any has an error below 1
 */
export async function chooseGamma(
  kernel: RbfKernel,
  train: Points,
  judged: { ind: Points; ood: Points },
  { nu, gammas, tolerance, errorRate, finishAll }: FitOptions,
): Promise<{ trials: GammaTrial[]; best?: GammaChoice }> {
  const { ind, ood } = judged;
  const trials: GammaTrial[] = [];
  let best: GammaChoice | undefined;
  let start: Float64Array | undefined;
  let suspects: Points | undefined;
  for (const gamma of gammas) {
    const leastError = best?.error ?? 1;
    const errorFrom = (outside: number) => ((1 - errorRate) * outside) / ind.count;
    const loses = (outside: number) => !finishAll && errorFrom(outside) >= leastError;
    const losing = (leastError * ind.count) / (1 - errorRate);
    let provenOutside = 0;
    const svm = await fitOneClassSvm(kernel, train, { nu, gamma, tolerance }, start, async (dual) => {
      if (!suspects || !loses(suspects.count)) return false;
      provenOutside = await certainlyOutside(kernel, train, gamma, dual, suspects, losing);
      return loses(provenOutside);
    });
    // The wider apart the points in the kernel's eyes, the nearer it is to the identity, whose solution is ν everywhere.
    start = svm.alpha.length > train.count / 2 ? new Float64Array(train.count).fill(nu) : svm.dual.alpha;
    const trial = { gamma, supportVectors: svm.alpha.length };
    const addBound = (outside: number) =>
      trials.push({
        ...trial,
        errorInd: outside / ind.count,
        error: errorFrom(outside),
        isBound: true,
      });
    if (!svm.finished) {
      addBound(provenOutside);
      continue;
    }
    const values = await decisionFunction(kernel, svm, ind);
    const outside = count(values, (f) => f <= 0);
    if (loses(outside)) {
      addBound(outside);
      continue;
    }
    const errorOod = count(await decisionFunction(kernel, svm, ood), (f) => f > 0) / ood.count;
    const errorInd = outside / ind.count;
    const error = errorRate * errorOod + (1 - errorRate) * errorInd;
    trials.push({ ...trial, errorOod, errorInd, error, isBound: false });
    if (error < leastError) best = { gamma, error, alpha: svm.dual.alpha };
    suspects = kernel.gather(ind, lowest(values, SUSPECTS));
  }
  return { trials, best };
}

/** Indices of the smallest values. */
function lowest(values: Float64Array, wanted: number): Uint32Array {
  return Uint32Array.from(values.keys())
    .sort((a, b) => values[a] - values[b])
    .subarray(0, wanted);
}

function count(values: Float64Array, holds: (value: number) => boolean): number {
  return values.reduce((sum, value) => sum + (holds(value) ? 1 : 0), 0);
}
