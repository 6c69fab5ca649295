import { between, type Cut } from './cuts.ts';
import type { ModelProto, NodeProto, TensorProto } from './onnx.ts';
import { neededValues } from './topology.ts';

/** A part of a graph, between two cuts. */
export interface Stage {
  readonly node: NodeProto[];
  readonly initializer: TensorProto[];
}

/**
 * Deals a graph's nodes out to the stages that cuts make of its network. What hangs on the network, such as the pooling of
 * taps, goes to the last of the stages that yield what it needs; constants, and what is computed of them alone, to the first
 * stage that needs them, or to none.
 *
 * @param output the value that the network was cut before
 * @returns one stage more than there are cuts
 */
export function dealIntoStages(
  model: ModelProto,
  input: string,
  output: string,
  cuts: readonly Cut[],
): Stage[] {
  const { graph } = model;
  const network = new Set(between(model, input, output));
  const yieldedBy = new Map([[input, 0]]);
  const stageOf = new Map<NodeProto, number>();
  for (const node of graph.node) {
    const needed = neededValues(node).flatMap((value) => yieldedBy.get(value) ?? []);
    if (needed.length === 0) continue;
    const stage = network.has(node)
      ? cuts.filter(({ before }) => !before.has(node)).length
      : Math.max(...needed);
    stageOf.set(node, stage);
    for (const value of node.output) yieldedBy.set(value, stage);
  }
  const neededBy = new Map<string, number>();
  for (const node of [...graph.node].reverse()) {
    const users = node.output.flatMap((value) => neededBy.get(value) ?? []);
    const stage = stageOf.get(node) ?? (users.length ? Math.min(...users) : undefined);
    if (stage === undefined) continue;
    stageOf.set(node, stage);
    for (const value of neededValues(node))
      neededBy.set(value, Math.min(stage, neededBy.get(value) ?? stage));
  }
  return Array.from({ length: cuts.length + 1 }, (_, stage) => ({
    node: graph.node.filter((node) => stageOf.get(node) === stage),
    initializer: graph.initializer.filter(({ name }) => neededBy.get(name) === stage),
  }));
}
