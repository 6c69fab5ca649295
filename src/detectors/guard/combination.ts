import type { NodeScope } from '../../graph/node-scope.ts';
import { ElementType } from '../../graph/onnx.ts';
import { type Moments, moments } from '../moments.ts';
import { addContinuousPValue, continuousPValue, continuousPValueAmongOthers } from './p-value.ts';

/** What a guard's parts say of images: content parts as they are, and projections on directions. */
export interface Components {
  readonly count: number;
  /** Of each content method, n scores. */
  readonly content: readonly Float32Array[];
  /** Of each direction, n projections. */
  readonly directions: readonly Float32Array[];
}

/** The columns of projections, n × directions, row-major; none where there are no directions. */
export function columnsOf(projections: Float32Array | undefined, count: number): Float32Array[] {
  if (!projections) return [];
  const along = projections.length / count;
  return Array.from({ length: along }, (_, d) =>
    Float32Array.from({ length: count }, (__, i) => projections[i * along + d]),
  );
}

/** How components become scores: all that calibration images set, and nothing that is fitted on training images. */
export interface Combination {
  /** Of each content method, the scores of the calibration images, ascending. */
  readonly content: readonly Float32Array[];
  /** Of each direction. */
  readonly directions: readonly Moments[];
  /** Of the content score and of the conditions score, where both are asked for. */
  readonly decision?: { readonly content: Moments; readonly conditions: Moments };
}

/** What a guard says of images. */
export interface Answers {
  readonly content?: Float32Array;
  readonly conditions?: Float32Array;
  /** The direction along which each image is farthest from what is usual, twice its number; one more on the far side. */
  readonly condition?: Uint32Array;
  readonly ood: Float32Array;
}

/** Conditions count in the decision from this many deviations above their mean on. */
const CONDITIONS_FROM = 1;

/** Scales what calibration images say. They fitted neither methods nor directions. */
export function fitCombination(components: Components): Combination {
  const content = components.content.map((scores) => Float32Array.from(scores).sort());
  const directions = components.directions.map(moments);
  if (content.length === 0 || directions.length === 0) return { content, directions };
  const answers = calibrationAnswers(components, { content, directions });
  const usual = { content: moments(answers.content!), conditions: moments(answers.conditions!) };
  return { content, directions, decision: usual };
}

/**
 * - content: Fisher's sum −Σ log p of the content methods' p-values among calibration images, on lines between these (Fisher, "Statistical methods
 *   for research workers", 1925);
 * - conditions: the largest |z| of the projections on the directions;
 * - decision: z(content) + max(0, z(conditions) − 1); with one question alone, its score.
 */
export function answersOf(components: Components, combination: Combination): Answers {
  return combine(components, combination, { pValue: continuousPValue, z: standardized });
}

/**
 * `answersOf` of the calibration images themselves: each is compared with the others. Were it compared with itself too, it would seem
 * more usual than a new image is, and more of these than stated would be called OOD.
 */
export function calibrationAnswers(components: Components, combination: Combination): Answers {
  const { count } = components;
  return combine(components, combination, {
    pValue: continuousPValueAmongOthers,
    z: (value, usual) => standardizedByOthers(value, usual, count),
  });
}

function standardized(value: number, { mean, deviation }: Moments): number {
  return (value - mean) / deviation;
}

/** By mean and deviation of the n − 1 others. */
function standardizedByOthers(value: number, { mean, deviation }: Moments, count: number): number {
  const off = value - mean;
  const others = count - 1;
  const variance = (count / others) * (deviation ** 2 - off ** 2 / others);
  return (off * (1 + 1 / others)) / Math.sqrt(variance);
}

/** How an image's components are compared with those of calibration images. */
interface Comparison {
  pValue(calibration: Float32Array, score: number): number;
  z(value: number, usual: Moments): number;
}

function combine(
  { count, ...components }: Components,
  combination: Combination,
  { pValue, z: zOf }: Comparison,
): Answers {
  const { content: ranked, directions: usual, decision } = combination;
  const content = ranked.length > 0 ? new Float32Array(count) : undefined;
  components.content.forEach((scores, part) => {
    for (let i = 0; i < count; i++) content![i] -= Math.log(pValue(ranked[part], scores[i]));
  });
  const conditions = usual.length > 0 ? new Float32Array(count) : undefined;
  const condition = conditions && new Uint32Array(count);
  components.directions.forEach((projections, d) => {
    for (let i = 0; i < count; i++) {
      const z = zOf(projections[i], usual[d]);
      if (Math.abs(z) <= conditions![i]) continue;
      conditions![i] = Math.abs(z);
      condition![i] = 2 * d + (z < 0 ? 1 : 0);
    }
  });
  const ood = decision
    ? content!.map((own, i) => {
        const beyond = standardized(conditions![i], decision.conditions) - CONDITIONS_FROM;
        return standardized(own, decision.content) + Math.max(0, beyond);
      })
    : (content ?? conditions!);
  return { content, conditions, condition, ood };
}

/** The values of a graph that a combination takes: `[batch, 1]` of each content method, `[batch, directions]`. */
export interface ComponentValues {
  readonly content: readonly string[];
  readonly projections?: string;
}

/** The values that it yields, `[batch, 1]`; `condition` int64. */
export interface AnswerValues {
  readonly content?: string;
  readonly conditions?: string;
  readonly condition?: string;
  readonly ood: string;
  /** What the decision is made of, `[batch, parts]`: −log p of the content methods, and |z| along each direction. */
  readonly components: string;
}

/** Adds `answersOf` to a graph. Its constants are named after what they are, so that another calibration can take their place. */
export function addCombination(
  nodes: NodeScope,
  { content: methods, projections }: ComponentValues,
  { content: ranked, directions, decision }: Combination,
): AnswerValues {
  const components = methods.map((score, part) => {
    const p = addContinuousPValue(nodes, score, ranked[part], `content_${part}`);
    return nodes.node('Neg', [nodes.node('Log', [p], `log_${part}`)], `component_${part}`);
  });
  const content = components.length > 1 ? nodes.node('Sum', components, 'content') : components[0];
  const column = (word: string, of: (usual: Moments) => number) =>
    nodes.floats(word, [1, directions.length], directions.map(of));
  let sizes: string | undefined;
  let conditions: string | undefined;
  let condition: string | undefined;
  if (projections !== undefined) {
    const centered = nodes.node('Sub', [projections, column('usual', ({ mean }) => mean)], 'from_usual');
    const z = nodes.node('Div', [centered, column('deviation', ({ deviation }) => deviation)], 'z');
    sizes = nodes.node('Abs', [z], 'sizes');
    conditions = nodes.reduce('ReduceMax', sizes, 1, 'conditions');
    const direction = nodes.node('ArgMax', [sizes], 'direction', { axis: 1, keepdims: 1 });
    const along = nodes.node('GatherElements', [z, direction], 'along', { axis: 1 });
    const isOpposite = nodes.node('Less', [along, nodes.float('zero', 0)], 'is_opposite');
    const side = nodes.node('Cast', [isOpposite], 'side', { to: ElementType.int64 });
    condition = nodes.node('Add', [nodes.node('Add', [direction, direction], 'twice'), side], 'condition');
  }
  const z = (value: string, { mean, deviation }: Moments, word: string) => {
    const centered = nodes.node('Sub', [value, nodes.float(`${word}_mean`, mean)], `${word}_centred`);
    return nodes.node('Div', [centered, nodes.float(`${word}_deviation`, deviation)], `${word}_z`);
  };
  const joined = () => {
    const beyond = nodes.node(
      'Sub',
      [z(conditions!, decision!.conditions, 'conditions'), nodes.float('from', CONDITIONS_FROM)],
      'beyond',
    );
    return nodes.node(
      'Add',
      [z(content, decision!.content, 'content'), nodes.node('Relu', [beyond], 'counted')],
      'decision',
    );
  };
  const parts = [...components, ...(sizes ? [sizes] : [])];
  return {
    content,
    conditions,
    condition,
    ood: decision ? joined() : (content ?? conditions!),
    components: parts.length > 1 ? nodes.node('Concat', parts, 'components', { axis: 1 }) : parts[0],
  };
}
