import { GraphError } from '../common/errors.ts';
import { makeValueInfo } from './make.ts';
import { freshNames } from './names.ts';
import type { ModelProto } from './onnx.ts';
import { pruneUnused } from './rewrite.ts';
import type { ValueType } from './shapes.ts';
import { neededValues } from './topology.ts';

/**
 * The part of a graph that lies behind some of its values: they become its inputs, those of them that it needs.
 *
 * @param values by name, with their types
 * @param outputs which of the graph's outputs are kept
 * @param where the file, for errors
 * @throws GraphError where an output needs more than these values
 */
export function partBehind(
  model: ModelProto,
  values: ReadonlyMap<string, ValueType>,
  outputs: readonly string[],
  where: string,
): ModelProto {
  const { graph } = model;
  const fresh = freshNames(model);
  const pruned = pruneUnused({
    ...model,
    graph: {
      ...graph,
      // Whatever yields them yields something else now, that nothing needs.
      node: graph.node.map((node) => ({
        ...node,
        output: node.output.map((name) => (values.has(name) ? fresh(`${name}_before`) : name)),
      })),
      output: graph.output.filter(({ name }) => outputs.includes(name)),
    },
  });
  const needed = new Set(pruned.graph.node.flatMap(neededValues));
  const missing = pruned.graph.input.find(({ name }) => needed.has(name));
  if (missing) throw new GraphError(where, `${outputs.join(', ')} needs ${missing.name}, too`);
  const input = Array.from(values, ([name, type]) => makeValueInfo(name, type));
  return { ...pruned, graph: { ...pruned.graph, input: input.filter(({ name }) => needed.has(name)) } };
}
