import type { Geometry } from '../../data/image-set.ts';
import type { Calibration } from '../evaluation/conformal.ts';
import type { Outputs } from './outputs.ts';

/** What the page knows of its guarded model before it has loaded it: `guard.json` beside `guarded.onnx`, NaN as null. */
export interface GuardFacts {
  /** The folder and file that it was read from: `demo/guarded.onnx`. */
  readonly name: string;
  /** Of the file. */
  readonly bytes: number;
  /** The version of la-ood that wrote the guard. */
  readonly version: string;
  /** Of a known architecture, its name. */
  readonly architecture?: string;
  readonly classCount: number;
  readonly classNames?: readonly string[];
  /** Whether classes do not exclude each other. */
  readonly isMultiLabel: boolean;
  /** What makes its score, in words. */
  readonly method: string;
  /** Whether the scores of its parts are standardised by what is usual. */
  readonly isStandardised: boolean;
  /** The questions that it answers, and what conditions are called; absent of a guard by layers. */
  readonly questions?: readonly string[];
  readonly conditions?: readonly string[];
  /** What its score is made of: layers, or the parts of the two answers. */
  readonly parts: readonly string[];
  /** What images are brought to. */
  readonly size: Geometry;
  /** The model's output of logits. */
  readonly logits: string;
  readonly calibration: Calibration;
  /** The scores of the InD images that it was calibrated with. */
  readonly scores: readonly number[];
  /** Share of the network that is done after each stage, where images can leave early. */
  readonly stages?: readonly number[];
  /** SHA-256 of the backbone. */
  readonly backbone: string;
  /** What onnxruntime in Node makes of each of `checkImages`. */
  readonly expected: readonly Outputs[];
}
