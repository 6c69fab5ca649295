import { GraphBuilder } from '../../graph/builder.ts';
import { NodeScope } from '../../graph/node-scope.ts';
import { ElementType, type ModelProto, type TensorProto } from '../../graph/onnx.ts';
import { withUsedInputs } from '../../graph/rewrite.ts';
import type { FittedMethod } from '../methods/method.ts';
import {
  type Answers,
  type AnswerValues,
  addCombination,
  type Combination,
  type ComponentValues,
} from './combination.ts';
import { addProjections, type Directions } from './directions.ts';
import { addPValue } from './p-value.ts';
import { type Question, questions } from './questions.ts';

/** What a guard is made of, fitted on training images. */
export interface GuardParts {
  /** Methods that tell whether the content is what was taught. */
  readonly content: readonly { readonly name: string; readonly fitted: FittedMethod }[];
  readonly conditions?: GuardConditions;
}

export interface GuardConditions {
  readonly directions: Directions;
  /** The taps that they are directions of, and their widths. */
  readonly taps: ReadonlyMap<string, number>;
  /** Of each direction, what an image is that is far along it, and what it is on the other side; as numbers of `names`. */
  readonly sides: readonly (readonly [number, number])[];
  readonly names: readonly string[];
}

/** The inputs of the graphs here: name and width. */
export interface GuardInputs {
  readonly logits: readonly [string, number];
  readonly headInput?: readonly [string, number];
}

/** The outputs of `componentsModel`: of each content method its name, and this. */
export const PROJECTIONS = 'projections';

/** The parts alone, as they are: for calibration. Content scores are `[batch]`, `projections` `[batch, directions]`. */
export function componentsModel(parts: GuardParts, inputs: GuardInputs): ModelProto {
  const graph = new GraphBuilder('la_ood_components');
  addInputs(graph, parts, inputs);
  const { content, projections } = addComponents(graph, parts, inputs);
  const row = graph.int64s('la_ood/answers/row', [-1]);
  parts.content.forEach(({ name }, part) => {
    graph.node('Reshape', [content[part], row], { name });
    graph.output(name, ElementType.float, ['batch']);
  });
  if (projections !== undefined) {
    graph.node('Identity', [projections], { name: PROJECTIONS });
    graph.output(PROJECTIONS, ElementType.float, ['batch', parts.conditions!.sides.length]);
  }
  return withUsedInputs(graph.build());
}

/**
 * What a guard says of samples, but for the decision. Inputs: the logits, the head input and the taps of conditions, as far as
 * the parts need them. Outputs, all `[batch]`: `ood_score`; `content_score`, `content_p_value`, `conditions_score`,
 * `conditions_p_value` and `condition` (int64: the number of a condition's name, −1 where conditions are usual) where both
 * questions are asked; and `component_scores` `[batch, parts]`.
 *
 * @param known what is said of the calibration images
 * @param rate conditions are unusual where their p-value is at most that
 */
export function answersModel(
  parts: GuardParts,
  inputs: GuardInputs,
  combination: Combination,
  known: Pick<Answers, 'content' | 'conditions'>,
  rate: number,
): ModelProto {
  const graph = new GraphBuilder('la_ood_answers');
  addInputs(graph, parts, inputs);
  const nodes = new NodeScope(graph, 'la_ood/answers');
  const answers = addCalibrated(nodes, addComponents(graph, parts, inputs), combination, known, rate);
  const row = graph.int64s('la_ood/answers/row', [-1]);
  const yields = (name: string, value: string, type: number = ElementType.float) => {
    graph.node('Reshape', [value, row], { name });
    graph.output(name, type, ['batch']);
  };
  yields('ood_score', answers.ood);
  if (combination.decision)
    for (const question of questions) {
      yields(`${question}_score`, answers[question]!);
      yields(`${question}_p_value`, answers.pValues[question]!);
    }
  if (answers.condition) {
    const names = graph.int64s('la_ood/answers/names_of_sides', parts.conditions!.sides.flat());
    const named = nodes.node('Gather', [names, answers.condition], 'named', { axis: 0 });
    const none = nodes.int64('no_condition', -1);
    const condition = nodes.node('Where', [answers.isUsual!, none, named], 'condition_or_none');
    yields('condition', condition, ElementType.int64);
  }
  graph.node('Identity', [answers.components], { name: 'component_scores' });
  const width = parts.content.length + (parts.conditions?.sides.length ?? 0);
  graph.output('component_scores', ElementType.float, ['batch', width]);
  return withUsedInputs(graph.build());
}

/**
 * The constants of `answersModel` that calibration images set, under their names: they can take the place of those in a guarded
 * model.
 *
 * @param content the names of the content methods
 */
export function calibrationConstants(
  content: readonly string[],
  combination: Combination,
  known: Pick<Answers, 'content' | 'conditions'>,
  rate: number,
): TensorProto[] {
  const graph = new GraphBuilder('la_ood_calibration');
  const values = {
    content: content.map((name) => graph.input(contentValue(name), ElementType.float, ['batch', 1])),
    ...(combination.directions.length > 0 && {
      projections: graph.input(PROJECTIONS_VALUE, ElementType.float, [
        'batch',
        combination.directions.length,
      ]),
    }),
  };
  addCalibrated(new NodeScope(graph, 'la_ood/answers'), values, combination, known, rate);
  return graph.build().graph.initializer;
}

/** The value of a content method's score in a guarded model, `[batch, 1]`, as it is. */
export function contentValue(method: string): string {
  return `la_ood/content/${method}`;
}

/** The value of the projections in a guarded model, `[batch, directions]`, as they are. */
export const PROJECTIONS_VALUE = 'la_ood/directions/projections';

/** The constant in a guarded model of what calibration images score by a question, where both are asked or it is that of conditions. */
export function answerCalibration(question: Question): string {
  return `la_ood/answers/${question}_calibration`;
}

/** Adds all that calibration images set: the combination, and the p-values of the questions that something asks for. */
function addCalibrated(
  nodes: NodeScope,
  values: ComponentValues,
  combination: Combination,
  known: Pick<Answers, 'content' | 'conditions'>,
  rate: number,
): AnswerValues & {
  readonly pValues: Readonly<Partial<Record<Question, string>>>;
  /** Whether conditions are usual, `[batch, 1]`. */
  readonly isUsual?: string;
} {
  const answers = addCombination(nodes, values, combination);
  const content = combination.decision && addPValue(nodes, answers.content!, known.content!, 'content');
  if (!answers.conditions) return { ...answers, pValues: { content } };
  const conditions = addPValue(nodes, answers.conditions, known.conditions!, 'conditions');
  // p-values are float32, and so is the rate that they are compared with.
  const limit = nodes.float('rate', rate * (1 + 1e-6));
  const isUsual = nodes.node('Greater', [conditions, limit], 'is_usual');
  return { ...answers, pValues: { content, conditions }, isUsual };
}

function addInputs(
  graph: GraphBuilder,
  { conditions }: GuardParts,
  { logits, headInput }: GuardInputs,
): void {
  for (const [name, width] of [logits, ...(headInput ? [headInput] : []), ...(conditions?.taps ?? [])])
    graph.input(name, ElementType.float, ['batch', width]);
}

function addComponents(
  graph: GraphBuilder,
  { content, conditions }: GuardParts,
  inputs: GuardInputs,
): ComponentValues {
  const values = { logits: inputs.logits[0], headInput: inputs.headInput?.[0] ?? '' };
  const column = graph.int64s('la_ood/content/column', [-1, 1]);
  const scores = content.map(({ name, fitted }) => {
    const score = fitted.addScore(new NodeScope(graph, `la_ood/${name}`), values);
    return graph.node('Reshape', [score, column], { name: contentValue(name) });
  });
  if (!conditions) return { content: scores };
  const nodes = new NodeScope(graph, 'la_ood/directions');
  const taps = [...conditions.taps.keys()];
  const features = taps.length > 1 ? nodes.node('Concat', taps, 'features', { axis: 1 }) : taps[0];
  return { content: scores, projections: addProjections(nodes, features, conditions.directions) };
}
