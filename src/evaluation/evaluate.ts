import { UsageError } from '../common/errors.ts';
import type { OnProgress } from '../common/progress.ts';
import { type BootstrapOptions, bootstrapIntervals, type MetricIntervals } from './bootstrap.ts';
import {
  answeredBy,
  answerName,
  flaggedShare,
  GUARD,
  type GuardScores,
  guardMethods,
  guardScoresOf,
} from './guard-scores.ts';
import { type MethodScores, type MethodTable, measureMethods } from './method-table.ts';
import { computeMetrics, type MetricOptions, type Metrics } from './metrics.ts';
import type { Scores } from './operating-points.ts';
import {
  checkSet,
  firstOf,
  joined,
  type Layer,
  maximumOverLayers,
  type ScoredSet,
  type Selection,
  selectOf,
} from './scored-set.ts';

export interface EvaluateOptions extends MetricOptions {
  /** OOD sets above this size are reduced to as many images, chosen at random; 10,000 where nothing is said. */
  readonly maxOod?: number;
  /** Seed of that choice; 0 where nothing is said. */
  readonly seed?: number;
  /** Adds bootstrap intervals to the rows of the guard, of LA-OOD and of the baselines. */
  readonly bootstrap?: Omit<BootstrapOptions, 'compat'>;
  /** What the run's guard says of the same images. */
  readonly guard?: GuardScores;
  /** What methods say of all images of the InD set and of every OOD set; LA-OOD and the baselines where absent. */
  readonly methods?: readonly MethodScores[];
  readonly onProgress?: OnProgress;
}

/** How well one score finds one OOD set. */
export interface MethodResult {
  readonly name: string;
  readonly metrics: Metrics;
  readonly intervals?: MetricIntervals;
}

/** A score with a decision of its own: a sample is accepted where its score is below 0. */
export interface DetectorResult extends MethodResult {
  /** Number of InD images accepted. */
  readonly indAccepted: number;
  /** Number of OOD images rejected. */
  readonly oodRejected: number;
}

export interface LayerResult extends DetectorResult {
  /** Place among the backbone's taps, from 0. */
  readonly index: number;
  /** Number of InD and of OOD images whose highest score is this layer's (the first of those tied). */
  readonly indMaxima: number;
  readonly oodMaxima: number;
}

/** How well the run's guard finds an OOD set: measured on all images of both, the InD ones being those that calibrated it. */
export interface GuardResult extends MethodResult {
  /** Its two answers, content and conditions, where it answers both questions. */
  readonly answers: readonly MethodResult[];
  readonly indCount: number;
  readonly oodCount: number;
  /** Share of the OOD images that it calls OOD, at its threshold. */
  readonly flagged: number;
}

/** One OOD set against the InD set. */
export interface SetResult {
  readonly ood: string;
  /** Images compared: as many of each, except for `combined`, and for the guard, which has counts of its own. */
  readonly indCount: number;
  readonly oodCount: number;
  /** Present where the OOD set was too large. */
  readonly selection?: Selection;
  /** Present where the run has a guard. */
  readonly guard?: GuardResult;
  /** The published method with the highest AUROC of those that were compared, known only after the fact; on all images of both sets. */
  readonly bestMethod?: MethodResult;
  readonly layers: readonly LayerResult[];
  /** The single layer with the highest AUROC, known only after the fact. */
  readonly best: LayerResult;
  /** The maximum over all layers. */
  readonly laOod: DetectorResult;
  readonly baselines: readonly MethodResult[];
}

export interface Evaluation {
  readonly ind: string;
  /** Present where FPR at 95 % TPR is read as the original reads it. */
  readonly compat?: 'original';
  readonly sets: readonly SetResult[];
  /** The methods that were asked for, else the guard, LA-OOD and the baselines, on all images of every set, and on right against wrong. */
  readonly methods: MethodTable;
}

/** What the paper's score, the maximum over the layers, is called in tables. */
const LA_OOD = 'LA-OOD';

/** What the best published method on a set is called in tables, before its name. */
export const BEST_METHOD = 'best method';

/** The name under which all OOD sets are joined. */
export const COMBINED = 'combined';

/**
 * Measures how well the layers' detectors, their maximum (LA-OOD) and the baselines tell each OOD set from the InD set
 * (Wang et al., "Layer adaptive deep neural networks for out-of-distribution detection", PAKDD 2022).
 *
 * Each OOD set meets as many InD images: the first min(n_ind, n_ood) of both. Where there is more than one OOD set,
 * `combined` joins them all and meets the whole InD set, unbalanced.
 *
 * @throws FeatureError where scores are missing or not finite; UsageError where an OOD set is named `combined`
 *
 * @example
 * ```ts
 * import { evaluate } from 'la-ood/methods';
 *
 * const ind = { name: 'cifar10', count: 3, layers: [Float64Array.of(-2, -1, -1)] };
 * const ood = { name: 'svhn', count: 2, layers: [Float64Array.of(0, 1)] };
 * const { sets } = evaluate([{ name: 'conv1', index: 0 }], ind, [ood]);
 * console.log(sets[0].laOod.metrics.auroc); // 1
 * ```
 */
export function evaluate(
  layers: readonly Layer[],
  ind: ScoredSet,
  oodSets: readonly ScoredSet[],
  options: EvaluateOptions = {},
): Evaluation {
  const { bootstrap, compat, guard, methods, onProgress } = options;
  const pairs = pairings(layers, ind, oodSets, options);
  const each =
    layers.length +
    1 +
    Object.keys(ind.baselines ?? {}).length +
    (guard ? 1 + answeredBy(guard.ind).length : 0);
  const total = pairs.length * each;
  let done = 0;
  const measured = () => onProgress?.({ task: 'measure', done: ++done, total, unit: 'scores' });
  const measuring = { bootstrap, compat, measured };
  const compared = oodSets.map(({ name, kind, count }) => ({
    ...{ name, images: count },
    ...(kind && { kind }),
  }));
  const ofGuard = guard
    ? guardMethods(
        guard,
        oodSets.map(({ name }) => name),
        ind.isWrong,
      )
    : [];
  const table = measureMethods(
    ind.name,
    compared,
    [...ofGuard, ...(methods ?? maximumAndBaselines(ind, oodSets))],
    { compat, onProgress },
  );
  const sets = pairs.map(({ ind, ood, selection }, s): SetResult => {
    const bestMethod = bestPublished(table, s, [...ofGuard.map(({ name }) => name), LA_OOD]);
    return {
      ...{ ood: ood.name, indCount: ind.count, oodCount: ood.count },
      ...(selection && { selection }),
      ...(guard && { guard: guardResult(guard, ood.name, measuring) }),
      ...(bestMethod && { bestMethod }),
      ...compare(layers, ind, ood, measuring),
    };
  });
  return { ind: ind.name, ...(compat && { compat }), sets, methods: table };
}

/** The best of the methods on the set of a number, but for some; undefined where there is no such set, as of all joined, or no method. */
function bestPublished(
  { methods }: MethodTable,
  set: number,
  others: readonly string[],
): MethodResult | undefined {
  const published = methods.filter(({ name, sets }) => !others.includes(name) && sets[set]);
  if (published.length === 0) return undefined;
  const { name, sets } = published.reduce((best, method) =>
    method.sets[set].auroc > best.sets[set].auroc ? method : best,
  );
  return { name: `${BEST_METHOD}: ${name}`, metrics: sets[set] };
}

/** An OOD set, and the InD images that it is measured against. */
export interface Pairing {
  readonly ind: ScoredSet;
  readonly ood: ScoredSet;
  readonly selection?: Selection;
}

/** What `evaluate` compares, in the order of its results; it throws what `evaluate` throws. */
export function pairings(
  layers: readonly Layer[],
  ind: ScoredSet,
  oodSets: readonly ScoredSet[],
  { maxOod = 10_000, seed = 0 }: EvaluateOptions = {},
): Pairing[] {
  if (layers.length === 0) throw new UsageError('layers', 'there is none to evaluate');
  const baselines = Object.keys(ind.baselines ?? {});
  for (const set of [ind, ...oodSets]) checkSet(set, layers, baselines);
  if (oodSets.some((set) => set.name === COMBINED))
    throw new UsageError(COMBINED, 'is the name for all OOD sets joined', 'give this OOD set another name');

  const limited = oodSets.map((set) => (set.count > maxOod ? selectOf(set, maxOod, seed) : set));
  const pairs = limited.map((ood, s): Pairing => {
    const count = Math.min(ind.count, ood.count);
    const pair = { ind: firstOf(ind, count), ood: firstOf(ood, count) };
    const from = oodSets[s].count;
    return from > maxOod ? { ...pair, selection: { from, kept: maxOod, seed } } : pair;
  });
  return limited.length > 1 ? [...pairs, { ind, ood: joined(COMBINED, limited) }] : pairs;
}

/** Every sample's maximum over the layers, and the baselines, as methods of all images. */
function maximumAndBaselines(ind: ScoredSet, oodSets: readonly ScoredSet[]): MethodScores[] {
  const { isWrong } = ind;
  return [
    {
      ...{ name: LA_OOD, isWrong, ind: maximumOverLayers(ind).scores },
      sets: oodSets.map((set) => maximumOverLayers(set).scores),
    },
    ...Object.entries(ind.baselines ?? {}).map(([name, scores]) => ({
      ...{ name, isWrong, ind: scores },
      sets: oodSets.map(({ baselines }) => baselines![name]),
    })),
  ];
}

function guardResult(guard: GuardScores, set: string, measuring: Measuring): GuardResult {
  const scores = guardScoresOf(guard, set);
  return {
    ...methodResult(GUARD, guard.ind.ood, scores, measuring),
    answers: answeredBy(guard.ind).map((question) =>
      methodResult(
        answerName(question),
        guard.ind[question]!,
        guardScoresOf(guard, set, question),
        measuring,
      ),
    ),
    ...{
      indCount: guard.ind.ood.length,
      oodCount: scores.length,
      flagged: flaggedShare(guard.calibration, scores),
    },
  };
}

interface Measuring extends MetricOptions {
  /** Intervals are computed where it is there. */
  readonly bootstrap?: BootstrapOptions;
  /** Is called after each score. */
  measured(): void;
}

function compare(
  layers: readonly Layer[],
  ind: ScoredSet,
  ood: ScoredSet,
  measuring: Measuring,
): Pick<SetResult, 'laOod' | 'best' | 'baselines' | 'layers'> {
  const layerMeasuring = { ...measuring, bootstrap: undefined };
  const indMaximum = maximumOverLayers(ind);
  const oodMaximum = maximumOverLayers(ood);
  const layerResults = layers.map(
    ({ name, index }, l): LayerResult => ({
      index,
      ...detectorResult(name, ind.layers[l], ood.layers[l], layerMeasuring),
      indMaxima: indMaximum.byLayer[l],
      oodMaxima: oodMaximum.byLayer[l],
    }),
  );
  return {
    laOod: detectorResult(LA_OOD, indMaximum.scores, oodMaximum.scores, measuring),
    best: layerResults.reduce((best, layer) => (layer.metrics.auroc > best.metrics.auroc ? layer : best)),
    baselines: Object.entries(ind.baselines ?? {}).map(([name, scores]) =>
      methodResult(name, scores, ood.baselines![name], measuring),
    ),
    layers: layerResults,
  };
}

function detectorResult(name: string, ind: Scores, ood: Scores, measuring: Measuring): DetectorResult {
  return {
    ...methodResult(name, ind, ood, measuring),
    indAccepted: countAccepted(ind),
    oodRejected: ood.length - countAccepted(ood),
  };
}

function methodResult(
  name: string,
  ind: Scores,
  ood: Scores,
  { bootstrap, compat, measured }: Measuring,
): MethodResult {
  const metrics = computeMetrics(ind, ood, { compat });
  const intervals = bootstrap && bootstrapIntervals(ind, ood, { ...bootstrap, compat });
  measured();
  return intervals ? { name, metrics, intervals } : { name, metrics };
}

/** A decision value of exactly 0 counts as an outlier, as scikit-learn predicts. */
function countAccepted(scores: Scores): number {
  let accepted = 0;
  for (const score of scores) if (score < 0) accepted++;
  return accepted;
}
