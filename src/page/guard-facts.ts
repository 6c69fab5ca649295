import type { GuardAnswer } from '../guard/guard-answer.ts';
import type { GuardInfo } from '../guard/guard-info.ts';

/** What the page knows of its guarded model before it has loaded it: `guard.json` beside `guarded.onnx`, NaN as null. */
export interface GuardFacts extends Omit<GuardInfo, 'scores'> {
  /** The folder and file that it was read from: `demo/guarded.onnx`. */
  readonly name: string;
  /** Of the file. */
  readonly bytes: number;
  readonly classCount: number;
  /** The scores of the InD images that it was calibrated with. */
  readonly scores: readonly number[];
  /** What onnxruntime in Node makes of each of `checkImages`. */
  readonly expected: readonly GuardAnswer[];
}
