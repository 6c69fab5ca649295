/** `la-ood/guard`: the steps from a classifier to its guard, and to scores of sets of images. */

export { type Batch, type BatchOptions, batches } from '../../data/batches.ts';
export { type DemoSetName, demoSetNames } from '../../data/demo/demo-set.ts';
export { derivations } from '../../data/derived/derived-set.ts';
export type { DownloadOptions, RemoteFile } from '../../data/download/download-file.ts';
export { type ManualSource, manualSources, type Source, sources } from '../../data/download/sources.ts';
export { type Hdf5ImageOptions, writeHdf5Images } from '../../data/formats/write-hdf5.ts';
export { generatedNames } from '../../data/generated/generated-set.ts';
export type { ImageSet, LeftOut } from '../../data/image-set.ts';
export { type OpenOptions, openImageSet } from '../../data/open.ts';
export { filterNames } from '../../data/resampling/filters.ts';
export { type Question, questions } from '../detectors/guard/questions.ts';
export { type Aggregation, aggregations } from '../detectors/layer-aggregation.ts';
export { type Calibration, calibrate, conformalPValues } from '../evaluation/conformal.ts';
export { DriftDetector } from '../evaluation/drift.ts';
export { adoptClassifier } from '../pipeline/classifier/adopt-classifier.ts';
export {
  type ImportClassifierOptions,
  type ImportedClassifier,
  importClassifier,
} from '../pipeline/classifier/import-classifier.ts';
export { type DownloadReport, downloadSets } from '../pipeline/datasets/download-sets.ts';
export {
  type DuplicateReport,
  type DuplicateSet,
  findDuplicates,
} from '../pipeline/datasets/find-duplicates.ts';
export {
  type DatasetOptions,
  type DatasetReport,
  writeDatasets,
} from '../pipeline/datasets/write-datasets.ts';
export {
  type FitDetectorsOptions,
  type FitDetectorsReport,
  fitDetectors,
} from '../pipeline/detectors/fit-detectors.ts';
export { type ImportDetectorsOptions, importDetectors } from '../pipeline/detectors/import-detectors.ts';
export {
  type EvaluateRunOptions,
  type EvaluateRunReport,
  evaluateRun,
} from '../pipeline/evaluation/evaluate-run.ts';
export {
  extractFeatures,
  type FeatureOptions,
  type FeatureReport,
} from '../pipeline/features/extract-features.ts';
export type { NamedSet } from '../pipeline/features/feature-sets.ts';
export type { EarlyExitReport } from '../pipeline/guard/early-exit.ts';
export { type GuardOptions, type GuardReport, guardRun } from '../pipeline/guard/guard-run.ts';
export type { HalfReport } from '../pipeline/guard/half-guard.ts';
export type { LostAuroc } from '../pipeline/guard/lost-auroc.ts';
export {
  type MonitoredDrift,
  type MonitoredImage,
  type MonitorOptions,
  monitorImages,
} from '../pipeline/guard/monitor-images.ts';
export {
  type RecalibrateOptions,
  type RecalibrationReport,
  recalibrateGuard,
} from '../pipeline/guard/recalibrate.ts';
export { type ScoredImage, type ScoreOptions, scoreImages } from '../pipeline/guard/score-images.ts';
export { writeScores } from '../pipeline/guard/write-scores.ts';
export {
  type DeviceExamination,
  examineMachine,
  type MachineExamination,
} from '../pipeline/inspection/examine-machine.ts';
export type { OnLeftOut } from '../pipeline/open-images.ts';
export { type ServedPage, type ServePageOptions, servePage } from '../pipeline/page/serve-page.ts';
export { type WrittenPage, writePage } from '../pipeline/page/write-page.ts';
export { type DemoOptions, type DemoReport, runDemo } from '../pipeline/run-demo.ts';
export { RunFolder, type Step, type StepRecord } from '../pipeline/run-folder.ts';
export { programVersion, versions } from '../pipeline/versions.ts';
