import { multiplyAdds, totalMultiplyAdds } from './cost.ts';
import type { ModelProto, NodeProto } from './onnx.ts';
import { inferShapes } from './shapes.ts';
import { neededValues, producers } from './topology.ts';

/** A place where a network can be cut in two: what comes behind it needs a single value of what comes before. */
export interface Cut {
  readonly value: string;
  /** Share of the network's multiplications that is done by then, (0, 1). */
  readonly share: number;
  /** The nodes of the network before it. */
  readonly before: ReadonlySet<NodeProto>;
}

/**
 * Cuts a network between its input and one of its values into stages of about the same cost, where blocks end.
 *
 * @param input of images, whose first axis is the batch; values that have lost it are no cuts
 * @param stages at most so many
 * @returns one cut less than there are stages, in the network's order; none where it cannot be cut
 */
export function cutEvenly(model: ModelProto, input: string, output: string, stages: number): Cut[] {
  const cuts = narrowPlaces(model, input, output);
  const chosen = Array.from({ length: stages - 1 }, (_, i) => {
    const wanted = (i + 1) / stages;
    const distance = (cut: Cut) => Math.abs(cut.share - wanted);
    return cuts.reduce<Cut | undefined>(
      (best, cut) => (best && distance(best) <= distance(cut) ? best : cut),
      undefined,
    );
  });
  return [...new Set(chosen.filter((cut) => cut !== undefined))];
}

/** Every cut between an input and a value. */
function narrowPlaces(model: ModelProto, input: string, output: string): Cut[] {
  const types = inferShapes(model);
  const network = between(model, input, output);
  const uses = new Map<string, number>();
  for (const node of network)
    for (const value of neededValues(node)) uses.set(value, (uses.get(value) ?? 0) + 1);
  const total = totalMultiplyAdds(network, types);
  const batch = types.get(input)?.shape?.[0];

  const cuts: Cut[] = [];
  // The values that nodes to come need. Constants are not among them: every stage sees them.
  const alive = new Set([input]);
  let done = 0;
  for (const [at, node] of network.entries()) {
    done += multiplyAdds(node, types);
    for (const value of neededValues(node)) {
      const left = uses.get(value)! - 1;
      uses.set(value, left);
      if (left === 0) alive.delete(value);
    }
    for (const value of node.output) if (uses.has(value)) alive.add(value);
    if (alive.size !== 1) continue;
    const [value] = alive;
    const keepsBatch = types.get(value)?.shape?.[0] === batch;
    if (keepsBatch && done > 0 && done < total)
      cuts.push({ value, share: done / total, before: new Set(network.slice(0, at + 1)) });
  }
  return cuts;
}

/** The nodes that the output needs and that need the input, in the graph's order. */
export function between({ graph }: ModelProto, input: string, output: string): NodeProto[] {
  const dependent = new Set([input]);
  for (const node of graph.node)
    if (neededValues(node).some((value) => dependent.has(value)))
      for (const value of node.output) dependent.add(value);
  const producer = producers(graph);
  const needed = new Set<NodeProto>();
  const open = [output];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    const node = producer.get(value);
    if (!node || needed.has(node) || !dependent.has(value)) continue;
    needed.add(node);
    open.push(...neededValues(node));
  }
  return graph.node.filter((node) => needed.has(node));
}
