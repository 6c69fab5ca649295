import { GraphError } from '../common/errors.ts';
import type { ModelProto } from './onnx.ts';

/**
 * Puts one graph behind another: an input of the second that the first yields under the same name is connected, its
 * other inputs become inputs of the whole. Outputs are those of both. Operators are read by the first's opset, so the
 * second may only use those that mean the same in it.
 *
 * @param where the first's file, for errors
 * @throws GraphError where a value of the second has a name that the first uses for another
 */
export function joinModels(first: ModelProto, second: ModelProto, where: string): ModelProto {
  const yielded = new Set(first.graph.output.map(({ name }) => name));
  const taken = new Set([
    ...[...first.graph.input, ...first.graph.initializer].map(({ name }) => name),
    ...first.graph.node.flatMap(({ output }) => output),
  ]);
  const input = second.graph.input.filter(({ name }) => !yielded.has(name));
  const defined = [
    ...[...input, ...second.graph.initializer].map(({ name }) => name),
    ...second.graph.node.flatMap(({ output }) => output),
  ];
  const clash = defined.find((name) => taken.has(name));
  if (clash !== undefined) throw new GraphError(where, `has a value named ${clash} already`, 'rename it');
  return {
    ...first,
    graph: {
      ...first.graph,
      node: [...first.graph.node, ...second.graph.node],
      initializer: [...first.graph.initializer, ...second.graph.initializer],
      input: [...first.graph.input, ...input],
      output: [...first.graph.output, ...second.graph.output],
      valueInfo: [...first.graph.valueInfo, ...second.graph.valueInfo],
    },
    metadataProps: [...first.metadataProps, ...second.metadataProps],
  };
}
