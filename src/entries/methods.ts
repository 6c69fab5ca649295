/** `la-ood/methods`: detectors and published methods, and how well they find OOD images. Higher scores are more OOD. */

export { RandomState } from '../common/random.ts';
export type { GammaTrial } from '../detectors/choose-gamma.ts';
export { detectorsModel, detectorsOfModel } from '../detectors/detectors-model.ts';
export {
  defaultFitOptions,
  type FitOptions,
  type FitReport,
  type FittedLayerSvm,
  LayerFitter,
  type LayerSvm,
} from '../detectors/layer-svm.ts';
export { methodNames } from '../detectors/methods/method-registry.ts';
export { type BootstrapOptions, bootstrapIntervals, type Interval } from '../evaluation/bootstrap.ts';
export {
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  type LayerResult,
  type MethodResult,
  type SetResult,
} from '../evaluation/evaluate.ts';
export type { Panel } from '../evaluation/method-panels.ts';
export {
  type MethodResults,
  type MethodScores,
  type MethodTable,
  measureMethods,
  type SetKind,
  setKinds,
} from '../evaluation/method-table.ts';
export { computeMetrics, type MetricOptions, type Metrics } from '../evaluation/metrics.ts';
export { type Misclassification, misclassification } from '../evaluation/misclassification.ts';
export { type OpenOodName, openOodNames } from '../evaluation/openood/protocol.ts';
export type { ScoredSet } from '../evaluation/scored-set.ts';
export { layerCsv, summaryCsv, summaryJson } from '../evaluation/tables.ts';
export {
  benchmarkOpenOod,
  type OpenOodOptions,
  type OpenOodReport,
} from '../pipeline/benchmark/benchmark-openood.ts';
