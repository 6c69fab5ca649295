/** What a guarded model yields for one image. */
export interface Outputs {
  /** The predicted class, by number; −1 where there is none. */
  readonly label: number;
  /** Higher is more OOD. */
  readonly score: number;
  /** The share of InD images that are at least as suspicious, (0, 1]. */
  readonly pValue: number;
  /** Which layer is farthest from what is usual. */
  readonly layer: number;
  /** NaN where the image left before the layer. */
  readonly layerScores: readonly number[];
  /** NaN where there are none. */
  readonly logits: readonly number[];
  /** The stage after which it left, from 0, of a model that images can leave early. */
  readonly stage?: number;
}

/** Tensors by name, of onnxruntime in Node or in the browser. */
type Tensors = Readonly<Record<string, { readonly data: ArrayLike<unknown> }>>;

/** @param logits the name of the logits */
export function outputsOf(tensors: Tensors, logits: string): Outputs {
  const number = (name: string) => Number(tensors[name].data[0]);
  const numbers = (name: string) => Array.from(tensors[name].data, Number);
  return {
    label: number('label'),
    score: number('ood_score'),
    pValue: number('p_value'),
    layer: number('ood_layer'),
    layerScores: numbers('layer_scores'),
    logits: numbers(logits),
    ...(tensors.stage && { stage: number('stage') }),
  };
}

/** The largest difference between two outputs, each as a share of the largest of its values, at least 1. */
export function difference(found: Outputs, expected: Outputs): number {
  return Math.max(
    found.label === expected.label ? 0 : Number.POSITIVE_INFINITY,
    relative([found.score], [expected.score]),
    relative([found.pValue], [expected.pValue]),
    relative(found.layerScores, expected.layerScores),
    relative(found.logits, expected.logits),
  );
}

/** NaN, which no tolerance takes, where one of them is a number and the other is none. */
function relative(found: readonly number[], expected: readonly number[]): number {
  const known = expected.filter((value) => !Number.isNaN(value));
  const largest = Math.max(1, ...known.map(Math.abs));
  const bothMissing = (i: number) => Number.isNaN(found[i]) && Number.isNaN(expected[i]);
  return Math.max(...found.map((value, i) => (bothMissing(i) ? 0 : Math.abs(value - expected[i]) / largest)));
}
