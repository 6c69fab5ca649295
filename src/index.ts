/** The public API of la-ood: everything that the command line uses, and nothing else. */

// Foreign files: PyTorch checkpoints, and the original's HDF5 features.
export { type FeatureFile, openFeatures } from '../converters/hdf5/features.ts';
export { type AppendRows, type FeatureLayout, writeFeatures } from '../converters/hdf5/write-features.ts';
export { modelFile } from '../converters/huggingface/model-file.ts';
export {
  type Checkpoint,
  type ReadCheckpointOptions,
  readCheckpoint,
} from '../converters/pytorch/read-checkpoint.ts';
export { writeCheckpoint } from '../converters/pytorch/write-checkpoint.ts';
// Images.
export { type Batch, type BatchOptions, batches } from '../data/batches.ts';
export { type DemoSetName, demoSetNames } from '../data/demo/demo-set.ts';
export { derivations } from '../data/derived/derived-set.ts';
export type { DownloadOptions, RemoteFile } from '../data/download/download-file.ts';
export { type ManualSource, manualSources, type Source, sources } from '../data/download/sources.ts';
export { type Hdf5ImageOptions, writeHdf5Images } from '../data/formats/write-hdf5.ts';
export { generatedNames } from '../data/generated/generated-set.ts';
export type { Color, Framing, Geometry, Image, ImageSet, ImageSize, LeftOut } from '../data/image-set.ts';
export { type OpenOptions, openImageSet } from '../data/open.ts';
export { filterNames } from '../data/resampling/filters.ts';
// Backbones.
export { Architecture, imagenetNormalisation } from '../models/architecture.ts';
export { type BackboneOptions, buildBackbone, stateDictOf } from '../models/backbone.ts';
export { initialWeights } from '../models/initial.ts';
export { type BackboneMetadata, backboneMetadata } from '../models/metadata.ts';
export { architectureNamed, architectureNames, recogniseArchitecture } from '../models/registry.ts';
// Errors that a user can mend, words for messages, random numbers, tensors, worker threads.
export {
  CheckpointError,
  DataError,
  DetectorError,
  DeviceError,
  FeatureError,
  GraphError,
  LaOodError,
  RunError,
  TrainingError,
  UsageError,
} from './common/errors.ts';
export { printable } from './common/printable.ts';
export type { OnProgress, Progress } from './common/progress.ts';
export { RandomState } from './common/random.ts';
export { nearestName } from './common/suggest.ts';
export type { DType, StateDict, Tensor, TensorData } from './common/tensor.ts';
export { endWorkers } from './common/workers.ts';
// Detectors.
export type { GammaTrial } from './detectors/choose-gamma.ts';
export { detectorsModel, detectorsOfModel } from './detectors/detectors-model.ts';
export {
  defaultFitOptions,
  type FitOptions,
  type FitReport,
  type FittedDetector,
  type LayerDetector,
  LayerFitter,
} from './detectors/fit-layer.ts';
export { type Question, questions } from './detectors/guard/questions.ts';
export { type Aggregation, aggregations } from './detectors/layer-aggregation.ts';
export { methodNames } from './detectors/methods/table.ts';
// Evaluation; higher scores are more OOD.
export { type BootstrapOptions, bootstrapIntervals, type Interval } from './evaluation/bootstrap.ts';
export {
  type Calibration,
  calibrate,
  conformalPValues,
} from './evaluation/conformal.ts';
export { DriftDetector } from './evaluation/drift.ts';
export {
  type EvaluateOptions,
  type Evaluation,
  evaluate,
  type LayerResult,
  type MethodResult,
  type SetResult,
} from './evaluation/evaluate.ts';
export {
  misclassifiedPanels,
  type Panel,
  panelsText,
  panelWords,
  setPanels,
} from './evaluation/method-panels.ts';
export {
  type MethodResults,
  type MethodScores,
  type MethodTable,
  measureMethods,
  type SetKind,
  setKinds,
} from './evaluation/method-table.ts';
export { computeMetrics, type MetricOptions, type Metrics } from './evaluation/metrics.ts';
export { type Misclassification, misclassification } from './evaluation/misclassification.ts';
export { type OpenOodName, openOodNames } from './evaluation/openood/protocol.ts';
export { openOodText } from './evaluation/openood/tables.ts';
export type { ScoredSet } from './evaluation/scored-set.ts';
export { layerCsv, summaryCsv, summaryJson, summaryTable } from './evaluation/tables.ts';
// ONNX graphs: files, and functions from graph to graph.
export { dynamicBatch } from './graph/batch.ts';
export { checkModel } from './graph/check.ts';
export { type TapCandidate, tapCandidates } from './graph/classifier/candidates.ts';
export { type Classifier, describeClassifier } from './graph/classifier/classifier.ts';
export type { ModelProto } from './graph/onnx.ts';
export { type Normalisation, type Preprocessing, prependPreprocessing } from './graph/preprocessing.ts';
export { decodeModel, readModel } from './graph/read.ts';
export { exposeTaps, getMetadata, pruneUnused, setMetadata } from './graph/rewrite.ts';
export { inferShapes, type ValueType } from './graph/shapes.ts';
export { encodeModel, writeModel } from './graph/write.ts';
// The steps, from a classifier to a table of results, and what looks at their files.
export {
  benchmarkOpenOod,
  type OpenOodOptions,
  type OpenOodReport,
} from './pipeline/benchmark/openood.ts';
export { adoptClassifier } from './pipeline/classifier/adopt-classifier.ts';
export {
  type ExportOptions,
  exportCheckpoint,
  exportFormats,
} from './pipeline/classifier/export-checkpoint.ts';
export {
  type Imported,
  type ImportOptions,
  importCheckpoint,
} from './pipeline/classifier/import-checkpoint.ts';
export {
  type ImportClassifierOptions,
  type ImportedClassifier,
  importClassifier,
} from './pipeline/classifier/import-classifier.ts';
export { type DatasetOptions, type DatasetReport, writeDatasets } from './pipeline/datasets/datasets.ts';
export { type DownloadReport, downloadSets } from './pipeline/datasets/download.ts';
export { type DuplicateReport, type DuplicateSet, findDuplicates } from './pipeline/datasets/duplicates.ts';
export { type DemoOptions, type DemoReport, runDemo } from './pipeline/demo.ts';
export { type FitDetectorsOptions, type FitDetectorsReport, fitDetectors } from './pipeline/detectors/fit.ts';
export { type ImportDetectorsOptions, importDetectors } from './pipeline/detectors/import-detectors.ts';
export {
  type EvaluateRunOptions,
  type EvaluateRunReport,
  evaluateRun,
} from './pipeline/evaluation/evaluate.ts';
export {
  extractFeatures,
  type FeatureOptions,
  type FeatureReport,
  type NamedSet,
} from './pipeline/features/features.ts';
export type { EarlyExitReport } from './pipeline/guard/early-exit.ts';
export {
  type GuardOptions,
  type GuardReport,
  guardRun,
} from './pipeline/guard/guard.ts';
export { type MonitoredImage, type MonitorOptions, monitorImages } from './pipeline/guard/monitor.ts';
export { type ScoredImage, type ScoreOptions, scoreImages } from './pipeline/guard/score.ts';
export { writeScores } from './pipeline/guard/write-scores.ts';
export {
  type CompareOptions,
  type Comparison,
  type ComparisonRow,
  compareFiles,
} from './pipeline/inspection/compare.ts';
export {
  type DeviceExamination,
  examineMachine,
  type MachineExamination,
} from './pipeline/inspection/doctor.ts';
export { fileKind } from './pipeline/inspection/file-kind.ts';
export {
  type CheckpointInspection,
  type DetectorsInspection,
  type FeaturesInspection,
  type ImagesInspection,
  type InspectImagesOptions,
  type Inspection,
  inspectFile,
  type ModelInspection,
  type RunInspection,
} from './pipeline/inspection/inspect.ts';
export type { OnLeftOut } from './pipeline/open-images.ts';
export { type ServedPage, type ServePageOptions, servePage } from './pipeline/page/serve-page.ts';
export { type WrittenPage, writePage } from './pipeline/page/write-page.ts';
export { RunFolder, type Step, type StepRecord } from './pipeline/run-folder.ts';
export {
  type CoTrainedRow,
  type CoTrainOptions,
  type CoTrainReport,
  coTrainRun,
} from './pipeline/training/cotrain.ts';
export { type TrainBackboneOptions, type TrainReport, trainBackbone } from './pipeline/training/train.ts';
export { programVersion, versions } from './pipeline/versions.ts';
// Running graphs.
export { type Device, type DeviceName, deviceNames } from './runtime/device.ts';
export { GraphSession, type SessionOptions, type Tensors } from './runtime/graph-session.ts';
// Training.
export { type TrainingEngineName, trainingEngineNames } from './training/engine.ts';
export type { TrainingEngineExamination } from './training/engines.ts';
export { fineTuning, type Recipe, recipeOf, type Schedule, schedules } from './training/recipe.ts';
export type { EpochReport } from './training/train.ts';
