import { toCsv } from '../../common/csv.ts';
import type { FittedLayerSvm } from '../../detectors/layer-svm.ts';
import type { FeatureLayer } from '../features/feature-files.ts';

/** The original's table of what was chosen; layers are numbered from 1. */
export function hyperparameterCsv(
  detectors: readonly FittedLayerSvm[],
  layers: readonly FeatureLayer[],
): string {
  return toCsv([
    ['Layer', 'Tap', 'nu', 'gamma', 'error'],
    ...detectors.map(({ tap, nu, gamma, fit }, l) => [
      layers[l].index + 1,
      tap,
      nu,
      gamma,
      fit.error.toFixed(4),
    ]),
  ]);
}

/**
 * Every candidate for γ, and which of them were the best so far: those are the rows that the original writes. Where a
 * candidate could not win, its errors are lower bounds, and what was not needed to prove it is left empty.
 */
export function processCsv(detectors: readonly FittedLayerSvm[], layers: readonly FeatureLayer[]): string {
  const rows = detectors.flatMap(({ nu, fit }, l) => {
    let best = 1;
    return fit.trials.map(({ gamma, supportVectors, errorOod, errorInd, error, isBound }) => {
      const improved = error < best;
      best = Math.min(best, error);
      const errors = [errorOod, errorInd, error].map((value) => value?.toFixed(4) ?? '');
      return [layers[l].index + 1, nu, gamma, supportVectors, ...errors, yesNo(improved), yesNo(isBound)];
    });
  });
  const errors = ['error OOD', 'error InD', 'error'];
  return toCsv([
    ['Layer', 'nu', 'gamma', 'support vectors', ...errors, 'improvement', 'lower bounds'],
    ...rows,
  ]);
}

function yesNo(holds: boolean): string {
  return holds ? 'yes' : 'no';
}
