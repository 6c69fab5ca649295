import { GraphBuilder } from '../../graph/builder.ts';
import { NodeScope } from '../../graph/node-scope.ts';
import { ElementType, type ModelProto } from '../../graph/onnx.ts';
import type { FittedMethod } from '../methods/method.ts';
import { addCombination, type Combination, type ComponentValues } from './combination.ts';
import { addProjections, type Directions } from './directions.ts';
import { addPValue } from './p-value.ts';

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

/** How calibration images score, ascending, by question, where it is asked. */
export interface AnswerCalibration {
  readonly content?: Float32Array;
  readonly conditions?: Float32Array;
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
  return used(graph.build());
}

/**
 * What a guard says of samples, but for the decision. Inputs: the logits, the head input and the taps of conditions, as far as
 * the parts need them. Outputs, all `[batch]`: `ood_score`; `content_score`, `content_p_value`, `conditions_score`,
 * `conditions_p_value` and `condition` (int64: the number of a condition's name, −1 where conditions are usual) where both
 * questions are asked; and `component_scores` `[batch, parts]`.
 *
 * @param rate conditions are unusual where their p-value is at most that
 */
export function answersModel(
  parts: GuardParts,
  inputs: GuardInputs,
  combination: Combination,
  calibration: AnswerCalibration,
  rate: number,
): ModelProto {
  const graph = new GraphBuilder('la_ood_answers');
  addInputs(graph, parts, inputs);
  const nodes = new NodeScope(graph, 'la_ood/answers');
  const answers = addCombination(nodes, addComponents(graph, parts, inputs), combination);
  const row = graph.int64s('la_ood/answers/row', [-1]);
  const yields = (name: string, value: string, type: number = ElementType.float) => {
    graph.node('Reshape', [value, row], { name });
    graph.output(name, type, ['batch']);
  };
  const hasBoth = answers.content !== undefined && answers.conditions !== undefined;
  yields('ood_score', answers.ood);
  if (answers.content && hasBoth) {
    yields('content_score', answers.content);
    yields('content_p_value', addPValue(nodes, answers.content, calibration.content!, 'content'));
  }
  if (answers.conditions) {
    const p = addPValue(nodes, answers.conditions, calibration.conditions!, 'conditions');
    if (hasBoth) {
      yields('conditions_score', answers.conditions);
      yields('conditions_p_value', p);
    }
    const names = graph.int64s('la_ood/answers/names_of_sides', parts.conditions!.sides.flat());
    const named = nodes.node('Gather', [names, answers.condition!], 'named', { axis: 0 });
    // p-values are float32, and so is the rate that they are compared with.
    const isUsual = nodes.node('Greater', [p, nodes.float('rate', rate * (1 + 1e-6))], 'is_usual');
    const none = nodes.int64('no_condition', -1);
    yields('condition', nodes.node('Where', [isUsual, none, named], 'condition_or_none'), ElementType.int64);
  }
  graph.node('Identity', [answers.components], { name: 'component_scores' });
  const width = parts.content.length + (parts.conditions?.sides.length ?? 0);
  graph.output('component_scores', ElementType.float, ['batch', width]);
  return used(graph.build());
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
  const column = graph.int64s('la_ood/answers/column', [-1, 1]);
  const scores = content.map(({ name, fitted }) => {
    const nodes = new NodeScope(graph, `la_ood/${name}`);
    return nodes.node('Reshape', [fitted.addScore(nodes, values), column], 'column');
  });
  if (!conditions) return { content: scores };
  const nodes = new NodeScope(graph, 'la_ood/directions');
  const taps = [...conditions.taps.keys()];
  const features = taps.length > 1 ? nodes.node('Concat', taps, 'features', { axis: 1 }) : taps[0];
  return { content: scores, projections: addProjections(nodes, features, conditions.directions) };
}

/** Without the inputs that nothing needs. */
function used(model: ModelProto): ModelProto {
  const needed = new Set(model.graph.node.flatMap(({ input }) => input));
  return {
    ...model,
    graph: { ...model.graph, input: model.graph.input.filter(({ name }) => needed.has(name)) },
  };
}
