/** `la-ood/training`: training a backbone, and co-training it with its detectors. */

export { initialWeights } from '../../models/initial.ts';
export {
  type CoTrainedRow,
  type CoTrainOptions,
  type CoTrainReport,
  coTrainRun,
} from '../pipeline/training/cotrain-run.ts';
export {
  type TrainBackboneOptions,
  type TrainReport,
  trainBackbone,
} from '../pipeline/training/train-backbone.ts';
export { type TrainingEngineName, trainingEngineNames } from '../training/engine.ts';
export type { TrainingEngineExamination } from '../training/engines.ts';
export { fineTuning, type Recipe, recipeOf, type Schedule, schedules } from '../training/recipe.ts';
export type { EpochReport } from '../training/train.ts';
