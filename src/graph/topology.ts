import { GraphError } from '../common/errors.ts';
import type { GraphProto, NodeProto, ValueInfo } from './onnx.ts';

/** What of a graph, or of a function's body, says how its nodes hang together. */
export interface Body {
  readonly node: readonly NodeProto[];
}

/** A node in words, for errors: its name, or where it has none, its operator and what it yields. */
export function nodeLabel({ name, opType, output }: NodeProto): string {
  if (name) return `node ${JSON.stringify(name)}`;
  return `the ${opType ? `${opType} node` : 'node'} that yields ${JSON.stringify(output[0])}`;
}

/** The inputs that must be fed: before IR version 4 initializers are listed among a graph's inputs too. */
export function requiredInputs(graph: GraphProto): ValueInfo[] {
  const constants = new Set(initializerNames(graph));
  return graph.input.filter(({ name }) => !constants.has(name));
}

/** The names of a graph's constants, dense and sparse. */
export function initializerNames(graph: GraphProto): string[] {
  const sparse = (graph.sparseInitializer ?? []).map(({ values }) => values?.name ?? '');
  return [...graph.initializer.map(({ name }) => name), ...sparse];
}

/** The values that a node needs: its inputs, and what the graphs in its attributes (If, Loop, Scan) take from around. */
export function neededValues(node: NodeProto): string[] {
  return [...node.input.filter((name) => name !== ''), ...subgraphs(node).flatMap(outerValues)];
}

/** The graphs in a node's attributes. */
export function subgraphs(node: NodeProto): GraphProto[] {
  return node.attribute.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs));
}

/** Which node yields a value. */
export function producers({ node }: Body): Map<string, NodeProto> {
  return new Map(node.flatMap((producer) => producer.output.map((name) => [name, producer] as const)));
}

/** Which nodes need a value, in the graph's order. */
export function consumers({ node }: Body): Map<string, NodeProto[]> {
  const users = new Map<string, NodeProto[]>();
  for (const user of node)
    for (const name of new Set(neededValues(user))) {
      const known = users.get(name);
      if (known) known.push(user);
      else users.set(name, [user]);
    }
  return users;
}

/**
 * The nodes, each after those whose values it needs; nodes that are in order already stay where they are.
 *
 * @param where the file, for errors
 * @throws GraphError where nodes need each other
 */
export function sortNodes(body: Body, where: string): NodeProto[] {
  const producer = producers(body);
  const sorted = new Set<NodeProto>();
  const open = new Set<NodeProto>();
  for (const root of body.node) {
    // Depth first with a stack of its own: networks are deeper than JavaScript's.
    const stack = [root];
    while (stack.length > 0) {
      const node = stack.at(-1)!;
      if (sorted.has(node) || open.has(node)) {
        stack.pop();
        open.delete(node);
        sorted.add(node);
        continue;
      }
      open.add(node);
      for (const name of neededValues(node).reverse()) {
        const before = producer.get(name);
        if (before && open.has(before))
          throw new GraphError(
            where,
            `${nodeLabel(node)} needs ${JSON.stringify(name)}, which needs that node: a cycle`,
          );
        if (before && !sorted.has(before)) stack.push(before);
      }
    }
  }
  return [...sorted];
}

/** What a subgraph uses and does not define itself. */
function outerValues(graph: GraphProto): string[] {
  const own = new Set([
    ...graph.input.map(({ name }) => name),
    ...initializerNames(graph),
    ...graph.node.flatMap(({ output }) => output),
  ]);
  const used = [...graph.node.flatMap(neededValues), ...graph.output.map(({ name }) => name)];
  return used.filter((name) => !own.has(name));
}
