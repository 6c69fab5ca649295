import { DetectorError } from '../common/errors.ts';
import { chooseGamma, type GammaTrial } from './choose-gamma.ts';
import { NeighborSearch } from './neighbors.ts';
import { fitOneClassSvm, type OneClassSvmOptions, precisionFor } from './ocsvm/one-class-svm.ts';
import { type Points, type Precision, RbfKernel } from './ocsvm/rbf-kernel.ts';
import { shiftEdges } from './self-adaptive-shifting.ts';
import { splitValidation } from './split.ts';
import { fitStandardScaler, type StandardScaler, standardize } from './standard-scaler.ts';

/** How a layer's detector is fitted; the defaults are the original's. */
export interface FitOptions {
  /** ν of the one-class SVM, (0, 1]. */
  readonly nu: number;
  /** Candidates for γ, tried in this order. */
  readonly gammas: readonly number[];
  /** Share of the samples that are held out to choose γ, (0, 1). */
  readonly validationShare: number;
  /** Edge threshold of self-adaptive shifting. */
  readonly threshold: number;
  /** Weight of the pseudo outliers' error in a candidate's error, [0, 1]; the validation samples' has the rest. */
  readonly errorRate: number;
  /** Seed of the split. */
  readonly seed: number;
  /** Stopping tolerance of the one-class SVM. */
  readonly tolerance: number;
  /** Finish the fits of candidates that are proven not to win. What is chosen is the same. */
  readonly finishAll?: boolean;
  /** Follow the original where its code departs from its method. */
  readonly compat?: 'original';
}

export const defaultFitOptions: FitOptions = {
  nu: 0.001,
  gammas: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1],
  validationShare: 0.3,
  threshold: 0.01,
  errorRate: 0.5,
  seed: 42,
  tolerance: 1e-3,
};

/** A layer's detector: the one-class SVM of its standardised pooled features. */
export interface LayerSvm {
  /** The tap whose pooled value it judges. */
  readonly tap: string;
  /** Channels of that value. */
  readonly width: number;
  readonly scaler: StandardScaler;
  readonly nu: number;
  readonly gamma: number;
  /** Support vectors, standardised: m × width, row-major. */
  readonly supportVectors: Float32Array;
  /** Their multipliers, in (0, 1]. */
  readonly alpha: Float32Array;
  readonly rho: number;
  /** How it was fitted; absent where another program did that. */
  readonly fit?: FitReport;
}

export interface FittedLayerSvm extends LayerSvm {
  readonly fit: FitReport;
}

export interface FitReport {
  /** Training samples of the final fit. */
  readonly samples: number;
  readonly edgePoints: number;
  readonly trials: readonly GammaTrial[];
  /** The chosen trial's error. */
  readonly error: number;
  /** What its parts took. The manifest of a run has it, and its `detectors.onnx` does not, which is the same every time. */
  readonly seconds?: { readonly shifting: number; readonly grid: number; readonly refit: number };
}

/**
 * Bytes that fitting a layer takes at most, its thread's runtime included and the features not: the standardised samples
 * in float64 and as kernel points, and the products of the neighbour search.
 */
export function fitMemory(samples: number, width: number): number {
  return 120e6 + samples * (16 * width + 800);
}

/** Fits layers one after the other; its onnxruntime sessions serve them all. */
export class LayerFitter {
  readonly #kernels = new Map<Precision, RbfKernel>();
  readonly #search: NeighborSearch;

  readonly #threads: number;

  private constructor(search: NeighborSearch, threads: number) {
    this.#search = search;
    this.#threads = threads;
  }

  /** @param threads of one onnxruntime call; several fitters side by side make better use of them */
  static async open(threads = 1): Promise<LayerFitter> {
    return new LayerFitter(await NeighborSearch.open(threads), threads);
  }

  /**
   * Fits one layer's detector as LA-OOD does: standardise, hold out a part, make pseudo outliers of it by self-adaptive
   * shifting, take the γ that confuses the two least (the first on ties), and refit with it on all samples.
   *
   * @param tap the layer's name, for the detector and for errors
   * @param features n × width pooled InD features, row-major
   * @throws DetectorError where the features are unusable (not finite, too few, no edge, no γ better than chance)
   *
   * @example
   * ```ts
   * import { defaultFitOptions, detectorsModel, LayerFitter } from 'la-ood/methods';
   * import { writeModel } from 'la-ood/onnx';
   *
   * const features = Float32Array.from({ length: 1000 * 16 }, Math.random);
   * const fitter = await LayerFitter.open();
   * const detector = await fitter.fit('layer1', features, 16, defaultFitOptions);
   * await writeModel('detectors.onnx', detectorsModel([detector]));
   * ```
   */
  async fit(
    tap: string,
    features: Float32Array,
    width: number,
    options: FitOptions,
  ): Promise<FittedLayerSvm> {
    try {
      return await this.#fit(tap, features, width, options);
    } catch (error) {
      if (!(error instanceof DetectorError)) throw error;
      throw new DetectorError(`layer ${tap}: ${error.where}`, error.problem, error.remedy, error);
    }
  }

  async #fit(
    tap: string,
    features: Float32Array,
    width: number,
    options: FitOptions,
  ): Promise<FittedLayerSvm> {
    const clock = stopwatch();
    checkFinite(features, width);
    const { nu, gammas, tolerance, compat } = options;
    const scaler = fitStandardScaler(features, width);
    const count = features.length / width;
    const split = splitValidation(count, options.validationShare, options.seed);

    const held = standardize(scaler, features, split.validation);
    const outliers = await shiftEdges(this.#search, held, width, options);
    const shifting = clock();

    const norm = largestSquaredNorm(scaler, features);
    const kernel = await this.#kernel({ nu, gamma: Math.max(...gammas), tolerance }, count, norm);
    const { trials, best } = await chooseGamma(
      kernel,
      kernel.points(standardize(scaler, features, split.train), width),
      { ind: kernel.points(held, width), ood: kernel.points(outliers.features, width) },
      options,
    );
    const grid = clock();

    const chosen = best
      ? { nu, ...best }
      : fallback(standardize(scaler, features, split.train), width, compat);
    const final = { nu: chosen.nu, gamma: chosen.gamma, tolerance };
    const finalKernel = best ? kernel : await this.#kernel(final, count, norm);
    const all = finalKernel.points(standardize(scaler, features), width);
    const start = best && scatter(best.alpha, split.train, count);
    const svm = await fitOneClassSvm(finalKernel, all, final, start);
    return {
      tap,
      width,
      scaler,
      nu: chosen.nu,
      gamma: chosen.gamma,
      supportVectors: withoutAugmentation(svm.supportVectors),
      alpha: Float32Array.from(svm.alpha),
      rho: svm.rho,
      fit: {
        samples: count,
        edgePoints: outliers.edges.length,
        trials,
        error: chosen.error,
        seconds: { shifting, grid, refit: clock() },
      },
    };
  }

  /** The kernel of the precision that a fit needs, opened when the first layer needs it. */
  async #kernel(options: OneClassSvmOptions, count: number, squaredNorm: number): Promise<RbfKernel> {
    const precision = precisionFor(options, count, squaredNorm);
    const kernel = this.#kernels.get(precision) ?? (await RbfKernel.open(precision, this.#threads));
    this.#kernels.set(precision, kernel);
    return kernel;
  }
}

/** What the original does where no candidate is better than chance; otherwise such a layer is no use. */
function fallback(training: Float64Array, width: number, compat?: 'original') {
  if (compat !== 'original')
    throw new DetectorError(
      'gamma selection',
      'no gamma separates its samples from pseudo outliers at all',
      'leave it out',
    );
  return { nu: 0.5, gamma: 1 / (width * deviation(training)), error: 1 };
}

function checkFinite(features: Float32Array, width: number): void {
  const bad = features.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new DetectorError(
      `feature ${bad % width} of sample ${Math.floor(bad / width)}`,
      `it is ${features[bad]}`,
      'look for images or weights that are not finite',
    );
}

/** Puts the multipliers of the training part back at their samples' places. */
function scatter(alpha: Float64Array, indices: Uint32Array, count: number): Float64Array {
  const all = new Float64Array(count);
  for (let i = 0; i < indices.length; i++) all[indices[i]] = alpha[i];
  return all;
}

function withoutAugmentation({ values, count, width }: Points): Float32Array {
  const features = new Float32Array(count * width);
  for (let i = 0; i < count; i++)
    features.set(values.subarray(i * (width + 2), i * (width + 2) + width), i * width);
  return features;
}

/** Of the standardised features. */
function largestSquaredNorm({ mean, scale }: StandardScaler, features: Float32Array): number {
  const width = mean.length;
  let largest = 0;
  for (let at = 0; at < features.length; at += width) {
    let norm = 0;
    for (let j = 0; j < width; j++) norm += ((features[at + j] - mean[j]) / scale[j]) ** 2;
    if (norm > largest) largest = norm;
  }
  return largest;
}

function deviation(values: Float64Array): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** A function that tells the seconds since it was last called. */
function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const seconds = (now - last) / 1000;
    last = now;
    return seconds;
  };
}
