/** `la-ood/checkpoints`: PyTorch's files, the original's features, and the networks that they are of. */

export { type FeatureFile, openFeatures } from '../../converters/hdf5/open-features.ts';
export { type AppendRows, type FeatureLayout, writeFeatures } from '../../converters/hdf5/write-features.ts';
export { modelFile } from '../../converters/huggingface/model-file.ts';
export {
  type Checkpoint,
  type ReadCheckpointOptions,
  readCheckpoint,
} from '../../converters/pytorch/read-checkpoint.ts';
export { writeCheckpoint } from '../../converters/pytorch/write-checkpoint.ts';
export { Architecture, imagenetNormalization } from '../../models/architecture.ts';
export { type BackboneOptions, buildBackbone, stateDictOf } from '../../models/backbone.ts';
export { type BackboneMetadata, backboneMetadata } from '../../models/metadata.ts';
export { architectureNamed, architectureNames, recognizeArchitecture } from '../../models/registry.ts';
export type { StateDict } from '../common/tensor.ts';
export {
  type ExportOptions,
  exportCheckpoint,
  exportFormats,
} from '../pipeline/classifier/export-checkpoint.ts';
export {
  type Imported,
  type ImportOptions,
  importCheckpoint,
} from '../pipeline/classifier/import-checkpoint.ts';
export {
  type CompareOptions,
  type Comparison,
  type ComparisonRow,
  compareFiles,
} from '../pipeline/inspection/compare-files.ts';
export { fileKind } from '../pipeline/inspection/file-kind.ts';
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
} from '../pipeline/inspection/inspect-file.ts';
