import { advice, command, GraphError } from '../common/errors.ts';
import { freshNames, renameValues } from './names.ts';
import type { ModelProto } from './onnx.ts';

/**
 * Puts one graph behind another: an input of the second that the first yields under the same name is connected, its
 * other inputs become inputs of the whole. Outputs are those of both. Operators are read by the first's opset, so the
 * second may only use those that mean the same in it. A value within the second whose name the first has too gets another,
 * and a node loses its name, which it need not have.
 *
 * @param where the first's file, for errors
 * @throws GraphError where an input or output of the second has a name that the first uses for another
 */
export function joinModels(first: ModelProto, second: ModelProto, where: string): ModelProto {
  const yielded = new Set(first.graph.output.map(({ name }) => name));
  const taken = new Set([
    ...[...first.graph.input, ...first.graph.initializer].map(({ name }) => name),
    ...first.graph.node.flatMap(({ output }) => output),
  ]);
  const input = second.graph.input.filter(({ name }) => !yielded.has(name));
  const own = [
    ...second.graph.initializer.map(({ name }) => name),
    ...second.graph.node.flatMap(({ output }) => output),
  ];
  const visible = new Set([...input, ...second.graph.output].map(({ name }) => name));
  const clash = [...visible].find((name) => taken.has(name));
  if (clash !== undefined)
    throw new GraphError(
      where,
      `has a value named ${clash} already`,
      advice`${command('import')} gives it another name`,
    );
  const node = [...first.graph.node, ...second.graph.node];
  const fresh = freshNames({ ...first, graph: { ...first.graph, node } });
  const others = own.filter((name) => taken.has(name)).map((name) => [name, fresh(name)] as const);
  const renamed = renameValues(second, new Map(others)).graph;
  const nodeNames = new Set(first.graph.node.map(({ name }) => name));
  return {
    ...first,
    graph: {
      ...first.graph,
      node: [
        ...first.graph.node,
        ...renamed.node.map((own) => (nodeNames.has(own.name) ? { ...own, name: undefined } : own)),
      ],
      initializer: [...first.graph.initializer, ...renamed.initializer],
      input: [...first.graph.input, ...input],
      output: [...first.graph.output, ...renamed.output],
      valueInfo: [...first.graph.valueInfo, ...renamed.valueInfo],
    },
    metadataProps: [...first.metadataProps, ...second.metadataProps],
  };
}
