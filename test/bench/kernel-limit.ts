import type { FitReport } from '../../src/detectors/layer-svm.ts';
import { RbfKernel } from '../../src/detectors/ocsvm/rbf-kernel.ts';
import { timed } from './bench.ts';
import { correlatedFeatures } from './synthetic.ts';

/**
 * Kernel values that any solver which finds the same candidates computes at least: the distances of the neighbour
 * search, and once a column of all training points for each support vector of each candidate and of the final fit.
 */
export function leastKernelValues(
  { trials, samples, supportVectors }: FitReport & { supportVectors: number },
  validationShare: number,
): number {
  const held = samples * validationShare;
  const columns = trials.reduce((sum, trial) => sum + trial.supportVectors, 0);
  return held ** 2 + columns * (samples - held) + supportVectors * samples;
}

/** Kernel values a second of one core at this width: products of augmented vectors, exponentials, a weighted sum. */
export async function kernelRate(width: number): Promise<number> {
  const kernel = await RbfKernel.open();
  const points = kernel.points(correlatedFeatures(10_000, width, width), width);
  const centers = kernel.gather(
    points,
    Array.from({ length: 512 }, (_, i) => i),
  );
  const weights = new Float64Array(512).fill(1);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    const sums = new Float64Array(points.count);
    const { seconds } = await timed(() => kernel.addExpansion(sums, points, centers, weights, 0.01));
    best = Math.min(best, seconds);
  }
  return (512 * points.count) / best;
}
