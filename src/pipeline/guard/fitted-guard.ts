import type { Question } from '../../detectors/guard/questions.ts';
import type { Aggregation } from '../../detectors/layer-aggregation.ts';
import type { GuardedScores } from '../../evaluation/guard-scores.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import type { FeatureOutputs } from '../features/feature-rows.ts';

/** How a guard scores, in words. */
export type GuardDescription =
  | {
      readonly kind: 'questions';
      readonly questions: readonly Question[];
      /** What `component_scores` are of: methods, and changes of images. */
      readonly components: readonly string[];
      /** What `condition` numbers. */
      readonly conditions: readonly string[];
      /** What class means are made of. */
      readonly labels: 'class labels' | 'predicted classes';
    }
  | {
      readonly kind: 'layers';
      readonly detector: string;
      readonly aggregation: Aggregation;
      /** What each column of `layer_scores` is of. */
      readonly layers: readonly string[];
    }
  | {
      readonly kind: 'method';
      readonly detector: string;
      readonly labels: 'class labels' | 'predicted classes';
    };

/** A guard that was fitted on training images, and is not calibrated yet. */
export interface FittedGuard {
  readonly description: GuardDescription;
  /** What whoever deploys it should know, in a line each. */
  readonly notes: readonly string[];
  /** From features to its components, as they are. */
  readonly components: ModelProto;
  /**
   * Takes centres, scales and ranks from calibration images, which fitted nothing.
   *
   * @param known their components
   */
  calibrate(known: FeatureOutputs, rate: number): CalibratedGuard;
}

export interface CalibratedGuard {
  /** From features to `ood_score` and what explains it. */
  readonly model: ModelProto;
  /** What it says of the calibration images. */
  readonly known: GuardedScores & { readonly ood: Float32Array };
  /** What it says of others, by their components. */
  scoresOf(components: FeatureOutputs): GuardedScores;
}
