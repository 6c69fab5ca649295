import { DetectorError } from '../../src/common/errors.ts';
import type { LayerSvm } from '../../src/detectors/layer-svm.ts';
import type { StandardScaler } from '../../src/detectors/standard-scaler.ts';
import { Attributes } from './estimator-attributes.ts';
import { readJoblib } from './read-joblib.ts';

/** Where the parts of a layer's detector are. */
export interface SklearnLayer {
  /** The tap whose pooled value it judges. */
  readonly tap: string;
  /** The file of its OneClassSVM; LA-OOD's are `saved_models/<model>/<ind>_best/<layer from 0>.joblib`. */
  readonly detector: string;
  /**
   * The file of its StandardScaler, or the scaler itself. LA-OOD keeps none: it fits one anew, on the features that
   * the detector was fitted on, whenever it needs one, as `fitStandardScaler` does.
   */
  readonly scaler: string | StandardScaler;
}

/**
 * Reads the detectors that LA-OOD, or any Python script, trained with scikit-learn: one OneClassSVM with an RBF kernel
 * for each layer, on standardised features. Nothing in the files is executed.
 *
 * @returns detectors whose score is −`decision_function`, up to float32's rounding
 * @throws DetectorError on files that cannot be read, other estimators and kernels, and parts that do not fit together
 */
export async function readSklearnDetectors(layers: readonly SklearnLayer[]): Promise<LayerSvm[]> {
  const detectors: LayerSvm[] = [];
  for (const { tap, detector, scaler } of layers) {
    if (detectors.some((other) => other.tap === tap))
      throw new DetectorError(detector, `is the second detector of layer ${tap}`, 'name one a layer');
    const svm = await readOneClassSvm(detector);
    const read = typeof scaler === 'string' ? await readStandardScaler(scaler) : scaler;
    if (read.mean.length !== svm.width || read.scale.length !== svm.width)
      throw new DetectorError(
        typeof scaler === 'string' ? scaler : `scaler of layer ${tap}`,
        `is for ${read.mean.length} channels, and ${detector} for ${svm.width}`,
        'take both from the same layer',
      );
    detectors.push({ tap, scaler: read, ...svm });
  }
  return detectors;
}

/**
 * Reads a one-class SVM: f(x) = Σ_j dual_coef_j exp(−γ|sv_j − x|²) + intercept. The attributes with an underscore are
 * what `decision_function` uses; they are the public ones for this class, `offset_` is −intercept.
 */
async function readOneClassSvm(path: string): Promise<Omit<LayerSvm, 'tap' | 'scaler'>> {
  const svm = new Attributes(path, await readJoblib(path), 'OneClassSVM');
  const kernel = svm.text('kernel');
  if (kernel !== 'rbf')
    svm.fail('kernel', `is ${kernel}, and only rbf can be imported`, 'fit it with kernel="rbf"');
  if (svm.find('_sparse')?.value === true)
    svm.fail('_sparse', 'is True: it was fitted on sparse features', 'fit it on dense ones');

  const { name, shape, values: vectors } = svm.array(2, 'support_vectors_');
  const [count, width] = shape;
  if (count === 0 || width === 0) svm.fail(name, `is empty (${count} × ${width})`, 'fit it again');
  const coefficients = svm.array(2, '_dual_coef_', 'dual_coef_');
  if (coefficients.shape[0] !== 1 || coefficients.shape[1] !== count)
    svm.fail(
      coefficients.name,
      `has the shape (${coefficients.shape}), and there are ${count} support vectors`,
      'the file is damaged',
    );
  const negative = coefficients.values.findIndex((value) => value < 0);
  if (negative >= 0)
    svm.fail(
      coefficients.name,
      `has the negative element ${coefficients.values[negative]}`,
      'the file is damaged',
    );
  const gamma = svm.number('_gamma', 'gamma');
  if (gamma <= 0) svm.fail('gamma', `is ${gamma}, not above 0`, 'fit it again');
  const nu = svm.number('nu');
  if (nu <= 0 || nu > 1) svm.fail('nu', `is ${nu}, not above 0 and at most 1`, 'fit it again');
  return {
    width,
    nu,
    gamma,
    supportVectors: Float32Array.from(vectors),
    alpha: Float32Array.from(coefficients.values),
    rho: -intercept(svm),
  };
}

function intercept(svm: Attributes): number {
  const { name, values } = svm.array(1, '_intercept_', 'intercept_');
  if (values.length !== 1)
    svm.fail(name, `has ${values.length} elements instead of one`, 'the file is damaged');
  return values[0];
}

/** Reads a StandardScaler; one that leaves out the mean or the deviation has it stored all the same, or None. */
async function readStandardScaler(path: string): Promise<StandardScaler> {
  const scaler = new Attributes(path, await readJoblib(path), 'StandardScaler');
  const part = (enabled: string, name: string) =>
    scaler.find(enabled)?.value === false ? undefined : scaler.array(1, name).values;
  const mean = part('with_mean', 'mean_');
  const scale = part('with_std', 'scale_');
  const width = (mean ?? scale)?.length;
  if (!width)
    return scaler.fail('mean_', 'is empty or unused: it changes nothing', 'give the one that was fitted');
  const bad = scale?.findIndex((value) => value <= 0) ?? -1;
  if (bad >= 0)
    scaler.fail('scale_', `has the element ${scale![bad]} at ${bad}, not above 0`, 'fit it again');
  return { mean: mean ?? new Float64Array(width), scale: scale ?? new Float64Array(width).fill(1) };
}
