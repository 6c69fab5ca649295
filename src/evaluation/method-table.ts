import type { OnProgress } from '../common/progress.ts';
import { computeMetrics, type MetricOptions, type Metrics } from './metrics.ts';
import { type Misclassification, misclassification } from './misclassification.ts';
import type { Scores } from './operating-points.ts';

/**
 * How far a set is from the InD set: `near` has other classes of the same kind of images, `far` images of another kind,
 * `shifted` the InD classes under other conditions (corrupted, of another camera).
 */
export const setKinds = ['near', 'far', 'shifted'] as const;
export type SetKind = (typeof setKinds)[number];

/** A set that is to be told from the InD set. */
export interface MeasuredSet {
  readonly name: string;
  /** Absent where nobody said it. */
  readonly kind?: SetKind;
  /** Number of its images. */
  readonly images: number;
}

/** What a method says of the InD images, and of each set's; higher is more OOD. */
export interface MethodScores {
  readonly name: string;
  /** Whether its published figures are of settings that were chosen on validation OOD images. */
  readonly isTuned?: boolean;
  readonly ind: Scores;
  /** For each set, in the order of the sets. */
  readonly sets: readonly Scores[];
  /** For each InD image 1 where the classifier is wrong, else 0; absent where that is not known. */
  readonly isWrong?: Uint8Array;
}

/** How well one method finds every set. */
export interface MethodResults {
  readonly name: string;
  readonly isTuned?: boolean;
  /** InD images that it was measured on. */
  readonly indImages: number;
  /** For each set, in the order of the sets. */
  readonly sets: readonly Metrics[];
  /** The mean over the sets of each kind that there is; every set counts the same, as in OpenOOD. */
  readonly means: Readonly<Partial<Record<SetKind, Metrics>>>;
  /** Right against wrong among the InD images, where there are both. */
  readonly misclassified?: Misclassification;
}

/** Every method on every set. */
export interface MethodTable {
  readonly ind: string;
  readonly sets: readonly MeasuredSet[];
  readonly methods: readonly MethodResults[];
}

/**
 * Measures every method on every set, all images of both; near, far and shifted sets get means of their own.
 *
 * @example
 * ```ts
 * import { measureMethods } from 'la-ood/methods';
 *
 * const energy = { name: 'energy', ind: Float64Array.of(-9, -8), sets: [Float64Array.of(-3, -2)] };
 * const { methods } = measureMethods('cifar10', [{ name: 'svhn', images: 2 }], [energy]);
 * console.log(methods[0].sets[0].auroc); // 1
 * ```
 */
export function measureMethods(
  ind: string,
  sets: readonly MeasuredSet[],
  methods: readonly MethodScores[],
  options: MetricOptions & { readonly onProgress?: OnProgress } = {},
): MethodTable {
  const total = methods.length * sets.length;
  let done = 0;
  return {
    ind,
    sets,
    methods: methods.map(({ name, isTuned, ind, sets: scores, isWrong }): MethodResults => {
      const results = scores.map((ood) => {
        const metrics = computeMetrics(ind, ood, options);
        options.onProgress?.({ task: 'measure methods', done: ++done, total, unit: 'scores' });
        return metrics;
      });
      const isMixed = isWrong?.includes(0) && isWrong.includes(1);
      return {
        name,
        ...(isTuned && { isTuned }),
        indImages: ind.length,
        sets: results,
        means: meansByKind(sets, results),
        ...(isWrong && isMixed && { misclassified: misclassification(ind, isWrong) }),
      };
    }),
  };
}

/** The mean of each metric. */
export function meanMetrics(each: readonly Metrics[]): Metrics {
  const mean = (metric: keyof Metrics) =>
    each.reduce((sum, metrics) => sum + metrics[metric], 0) / each.length;
  return {
    fprAt95Tpr: mean('fprAt95Tpr'),
    fprAt95TprIndPositive: mean('fprAt95TprIndPositive'),
    auroc: mean('auroc'),
    auprOut: mean('auprOut'),
    auprIn: mean('auprIn'),
  };
}

function meansByKind(sets: readonly MeasuredSet[], results: readonly Metrics[]): MethodResults['means'] {
  return Object.fromEntries(
    setKinds.flatMap((kind) => {
      const own = results.filter((_, s) => sets[s].kind === kind);
      return own.length > 0 ? [[kind, meanMetrics(own)]] : [];
    }),
  );
}
