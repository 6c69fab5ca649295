/** What a guarded model yields for one image. */
export interface Outputs {
  /** The predicted class, by number; −1 where there is none. */
  readonly label: number;
  /** Higher is more OOD. */
  readonly score: number;
  /** The share of InD images that are at least as suspicious, (0, 1]. */
  readonly pValue: number;
  /** Of a guard of two questions. */
  readonly contentPValue?: number;
  readonly conditionsPValue?: number;
  /** The number of what the conditions are called; −1 where they are usual. */
  readonly condition?: number;
  /** Which part of the score is farthest from what is usual. */
  readonly largest: number;
  /** What the score is made of; NaN where the image left before a layer. */
  readonly parts: readonly number[];
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
  const parts = numbers(tensors.layer_scores ? 'layer_scores' : 'component_scores');
  return {
    label: number('label'),
    score: number('ood_score'),
    pValue: number('p_value'),
    ...(tensors.content_p_value && {
      contentPValue: number('content_p_value'),
      conditionsPValue: number('conditions_p_value'),
    }),
    ...(tensors.condition && { condition: number('condition') }),
    largest: tensors.ood_layer ? number('ood_layer') : parts.indexOf(Math.max(...parts)),
    parts,
    logits: numbers(logits),
    ...(tensors.stage && { stage: number('stage') }),
  };
}

/** How far two runtimes are apart on an image. */
export interface Difference {
  /** The largest difference of a p-value; infinite where the classes differ. */
  readonly pValue: number;
  /** That of the logits, as a share of the largest of them, at least 1. */
  readonly logits: number;
}

/** What counts are p-values, which decide: raw numbers differ from runtime to runtime by more than that matters. */
export function difference(found: Outputs, expected: Outputs): Difference {
  const pValues = [
    Math.abs(found.pValue - expected.pValue),
    Math.abs((found.contentPValue ?? 0) - (expected.contentPValue ?? 0)),
    Math.abs((found.conditionsPValue ?? 0) - (expected.conditionsPValue ?? 0)),
  ];
  return {
    pValue: found.label === expected.label ? Math.max(...pValues) : Number.POSITIVE_INFINITY,
    logits: relative(found.logits, expected.logits),
  };
}

/** NaN, which no tolerance takes, where one of them is a number and the other is none. */
function relative(found: readonly number[], expected: readonly number[]): number {
  const known = expected.filter((value) => !Number.isNaN(value));
  const largest = Math.max(1, ...known.map(Math.abs));
  const bothMissing = (i: number) => Number.isNaN(found[i]) && Number.isNaN(expected[i]);
  return Math.max(...found.map((value, i) => (bothMissing(i) ? 0 : Math.abs(value - expected[i]) / largest)));
}
