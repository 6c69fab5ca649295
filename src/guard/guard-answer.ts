import { toFloat32 } from '../common/tensor.ts';
import { probabilitiesOf } from '../evaluation/probabilities.ts';
import { reasonOf } from '../evaluation/reason.ts';
import type { GuardInfo } from './guard-info.ts';

/** A class, and how probable it is, [0, 1]: the softmax of the logits, or of classes that do not exclude each other the sigmoid. */
export interface ClassScore {
  /** Its name, or its number where the guard knows no names. */
  readonly label: string;
  readonly score: number;
}

/** What a guarded model says of an image. p-values are in (0, 1], scores higher the more OOD an image is. */
export interface GuardAnswer {
  /** Whether the image is called OOD: its p-value is at most the guard's false-alarm rate. */
  readonly isOod: boolean;
  /** The share of InD images that are at least as suspicious. */
  readonly pValue: number;
  readonly score: number;
  /** Why the image is called OOD, in a plain sentence; empty where it is not, and of guards that answer no questions. */
  readonly reason: string;
  /** The predicted class by name, or its number as text; absent where an image left the network early. */
  readonly label?: string;
  /** And by number; −1 where there is none. */
  readonly classIndex: number;
  /** The most probable classes, the first being `label`. */
  readonly classes: readonly ClassScore[];
  /** Is it something that the classifier was not taught? Absent where the guard does not answer it. */
  readonly content?: { readonly pValue: number; readonly score: number };
  /** Was it taken or processed otherwise than the training images? `name` says how, where that is so: `blurrier`. */
  readonly conditions?: { readonly pValue: number; readonly score: number; readonly name?: string };
  /** Of a guard by layers: the layer that is farthest from what is usual. */
  readonly layer?: string;
  /** The stage after which the image left, from 0, of a model that images can leave early. */
  readonly stage?: number;
  /** What the score is made of, in the order of `info.parts`; NaN where the image left before a layer. */
  readonly parts: readonly number[];
  /** NaN where there are none. */
  readonly logits: readonly number[];
}

/** Tensors by name, of onnxruntime in Node or in the browser. */
type Outputs = Readonly<Record<string, { readonly data: ArrayLike<unknown> }>>;

/** Classes that an answer has; as transformers' image classification. */
const TOP = 5;

/**
 * What a run of a guarded model says of each of its images.
 *
 * @param count images of the run
 */
export function answersOf(outputs: Outputs, count: number, info: GuardInfo): GuardAnswer[] {
  const numbers = { ...outputs, [info.logits]: { data: logitsOf(outputs[info.logits].data) } };
  return Array.from({ length: count }, (_, i) => answerOf(numbers, count, i, info));
}

/** Where JavaScript has no Float16Array, those of a classifier in half precision come as their bits. */
function logitsOf(data: ArrayLike<unknown>): ArrayLike<unknown> {
  return data instanceof Uint16Array ? toFloat32({ dtype: 'float16', shape: [data.length], data }) : data;
}

function answerOf(outputs: Outputs, count: number, i: number, info: GuardInfo): GuardAnswer {
  const { questions, conditions, classNames, calibration } = info;
  const number = (name: string) => Number(outputs[name].data[i]);
  const row = (name: string) => {
    const { data } = outputs[name];
    const width = data.length / count;
    return Array.from({ length: width }, (_, at) => Number(data[i * width + at]));
  };
  const pValue = number('p_value');
  const isOod = number('is_ood') === 1;
  const classIndex = number('label');
  const logits = row(info.logits);
  const nameOf = (index: number) => classNames?.[index] ?? String(index);
  const score = number('ood_score');
  // A guard of one question has one score, and one p-value.
  const answerOn = (question: string) =>
    outputs[`${question}_score`]
      ? { pValue: number(`${question}_p_value`), score: number(`${question}_score`) }
      : { pValue, score };
  const content = questions?.includes('content') ? answerOn('content') : undefined;
  const name = outputs.condition && conditions?.[number('condition')];
  const unusual = questions?.includes('conditions')
    ? { ...answerOn('conditions'), ...(name !== undefined && { name }) }
    : undefined;
  const answered = {
    isOod,
    contentPValue: content?.pValue,
    conditionsPValue: unusual?.pValue,
    condition: name,
  };
  return {
    isOod,
    pValue,
    score,
    reason: questions ? reasonOf(answered, calibration.rate) : '',
    ...(classIndex >= 0 && { label: nameOf(classIndex) }),
    classIndex,
    classes: classIndex < 0 ? [] : mostProbable(logits, info.isMultiLabel, nameOf),
    ...(content && { content }),
    ...(unusual && { conditions: unusual }),
    ...(outputs.ood_layer && { layer: info.parts[number('ood_layer')] }),
    ...(outputs.stage && { stage: number('stage') }),
    parts: row(outputs.layer_scores ? 'layer_scores' : 'component_scores'),
    logits,
  };
}

function mostProbable(
  logits: readonly number[],
  isMultiLabel: boolean,
  nameOf: (index: number) => string,
): ClassScore[] {
  const probabilities = probabilitiesOf(logits, isMultiLabel);
  return logits
    .map((logit, index) => ({ logit, index }))
    .sort((a, b) => b.logit - a.logit)
    .slice(0, TOP)
    .map(({ index }) => ({ label: nameOf(index), score: probabilities[index] }));
}

/** How far two runtimes are apart on an image. */
export interface Difference {
  /** The largest difference of a p-value; infinite where the classes differ. */
  readonly pValue: number;
  /** That of the logits, as a share of the largest of them, at least 1. */
  readonly logits: number;
}

/** What counts are p-values, which decide: raw numbers differ from runtime to runtime by more than that matters. */
export function difference(found: GuardAnswer, expected: GuardAnswer): Difference {
  const pValues = [
    Math.abs(found.pValue - expected.pValue),
    Math.abs((found.content?.pValue ?? 0) - (expected.content?.pValue ?? 0)),
    Math.abs((found.conditions?.pValue ?? 0) - (expected.conditions?.pValue ?? 0)),
  ];
  return {
    pValue: found.classIndex === expected.classIndex ? Math.max(...pValues) : Number.POSITIVE_INFINITY,
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
