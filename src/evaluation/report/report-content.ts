import type { LayerSvm } from '../../detectors/layer-svm.ts';
import type { Evaluation, Pairing } from '../evaluate.ts';
import type { GuardScores } from '../guard-scores.ts';
import type { Scores } from '../operating-points.ts';

/** Everything that a report shows. */
export interface ReportContent {
  /** What the run is called. */
  readonly name: string;
  /** The program that made it, and its version. */
  readonly program: string;
  readonly evaluation: Evaluation;
  /** What makes its figures doubtful, in a line each without a full stop. */
  readonly warnings: readonly string[];
  /** The scores behind the evaluation, in the order of its sets. */
  readonly pairings: readonly Pairing[];
  readonly guard?: GuardScores;
  /** Share of the InD test images that the classifier gets right, where their classes are its classes. */
  readonly accuracy?: number;
  /** Images that the detectors were fitted on. */
  readonly trainingImages?: number;
  /** Of the InD set, and of each OOD set, in the order of the evaluation. */
  readonly galleries: readonly Gallery[];
  /** How each layer's detector was fitted, in the order of the layers. */
  readonly detectors: readonly (Pick<LayerSvm, 'tap' | 'nu' | 'gamma' | 'fit'> & {
    /** What fitting it took, where that is known. */
    readonly seconds?: number;
  })[];
  readonly steps: readonly ReportStep[];
}

/** Images of a set: those with the lowest LA-OOD scores, and those with the highest, the most telling first. */
export interface Gallery {
  readonly set: string;
  /** Images of the set. */
  readonly count: number;
  readonly lowest: readonly GalleryImage[];
  readonly highest: readonly GalleryImage[];
  /** Why there are no pictures, where there are none. */
  readonly missing?: string;
}

export interface GalleryImage {
  /** The image's number in its set, from 0. */
  readonly index: number;
  /** What the set calls it; absent where the set cannot be opened. */
  readonly name?: string;
  /** A picture as a data URL. */
  readonly picture?: string;
  /** Its score by each layer. */
  readonly profile: Scores;
  /** The class that the classifier takes it for, and the softmax probability of that, where there are logits. */
  readonly predicted?: string;
  readonly confidence?: number;
  /** The class that it is of. */
  readonly actual?: string;
}

/** A finished step of the run. */
export interface ReportStep {
  readonly name: string;
  readonly seconds: number;
  readonly device?: string;
  /** Images that it went through. */
  readonly images?: number;
  /** What the manifest says of it. */
  readonly record: {
    /** SHA-256 of each file written, by its path in the run folder. */
    readonly outputs: Readonly<Record<string, string>>;
    /** When, as ISO 8601. */
    readonly finished: string;
    readonly [entry: string]: unknown;
  };
}
