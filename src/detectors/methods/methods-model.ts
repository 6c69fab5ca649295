import { GraphBuilder } from '../../graph/builder.ts';
import { NodeScope } from '../../graph/node-scope.ts';
import { ElementType, type ModelProto } from '../../graph/onnx.ts';
import { withUsedInputs } from '../../graph/rewrite.ts';
import type { FittedByName } from './fit-methods.ts';

/** The inputs of the graph of methods. */
export interface MethodsInputs {
  /** Name and width. */
  readonly logits: readonly [string, number];
  /** Name and width; absent where there is none. */
  readonly headInput?: readonly [string, number];
  /** Widths of the taps, by their names. */
  readonly taps?: ReadonlyMap<string, number>;
}

/**
 * Fitted methods as one ONNX model. Inputs: the logits, the head input and the pooled values of taps, float32
 * `[batch, width]`, each by its name, as far as the methods need them. Outputs: for each method its score, float32 `[batch]`,
 * by the method's name; higher is more OOD.
 */
export function methodsModel(
  fitted: readonly FittedByName[],
  { logits, headInput, taps = new Map() }: MethodsInputs,
  metadata: Readonly<Record<string, string>> = {},
): ModelProto {
  const graph = new GraphBuilder('la_ood_methods');
  for (const [name, width] of [logits, ...(headInput ? [headInput] : []), ...taps])
    graph.input(name, ElementType.float, ['batch', width]);
  const row = graph.int64s('la_ood/row', [-1]);
  for (const { method, addScore } of fitted) {
    const nodes = new NodeScope(graph, `la_ood/${method.name}`);
    const score = addScore(nodes, { logits: logits[0], headInput: headInput?.[0] ?? '' });
    graph.node('Reshape', [score, row], { name: method.name });
    graph.output(method.name, ElementType.float, ['batch']);
  }
  return withUsedInputs(graph.build({ metadata }));
}
