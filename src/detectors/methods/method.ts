import type { NodeScope } from '../../graph/node-scope.ts';
import type { Training } from './training.ts';

/**
 * What a method cannot do without, beside the logits:
 *
 * - `head input`: the pooled value that goes into the last layer;
 * - `head`: the last layer's weights;
 * - `layers`: the pooled values of the network's taps;
 * - `one-class SVMs`: those that `la-ood fit` fitted;
 * - `labels`: the class of each training image;
 * - `one class an image`: classes that exclude each other, by a softmax;
 * - `activations`: head inputs that are not negative, as behind a ReLU; those of the first few hundred images are looked at.
 */
export type Need =
  | 'labels'
  | 'head input'
  | 'head'
  | 'layers'
  | 'one-class SVMs'
  | 'one class an image'
  | 'activations';

/** A published method: how it is fitted, and how it scores. A file each; `table.ts` lists them. */
export interface Method {
  /** What it is called on the command line, in files and as an output of `methods.onnx`: `msp`. */
  readonly name: string;
  /** What it is called in tables: `MSP`. */
  readonly title: string;
  /** Its name in OpenOOD's tables, where it is in them. */
  readonly openood?: string;
  readonly needs: readonly Need[];
  /** Its settings, with their published defaults. */
  readonly settings: Readonly<Record<string, number>>;
  /** Whether the published figures are of settings that were chosen on validation OOD images. */
  readonly isTuned?: boolean;
  /**
   * Fits it on the training features.
   *
   * @throws DetectorError where they are unusable for it, in one line
   */
  fit(training: Training, options: MethodOptions): Promise<FittedMethod>;
}

export interface MethodOptions {
  /** Training images that methods by neighbours keep; all where absent. Fewer are a coreset, drawn at random. */
  readonly bank?: number;
  /** Seed of what methods draw. */
  readonly seed?: number;
}

/** A method that was fitted. */
export interface FittedMethod {
  /** What fitting found that whoever reads the scores should know, in a line each. */
  readonly notes?: readonly string[];
  /** Adds the nodes that score samples. Gives the name of the score, float32 `[batch]` or `[batch, 1]`; higher is more OOD. */
  addScore(nodes: NodeScope, values: MethodValues): string;
}

/** The values of a graph that methods score. */
export interface MethodValues {
  /** float32 `[batch, classes]` */
  readonly logits: string;
  /** float32 `[batch, width]`; there where the method needs it. Taps go by their own names. */
  readonly headInput: string;
}
