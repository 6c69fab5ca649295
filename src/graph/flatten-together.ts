import { makeNode } from './make.ts';
import { freshNames } from './names.ts';
import type { ModelProto, NodeProto } from './onnx.ts';
import { consumers, producers } from './topology.ts';

/**
 * Flattens what is pooled to N×C×1×1 all at once: in place of a Flatten for each output of the graph, one Concat, one
 * Flatten, and one Split that has all their names. At a batch of one image, that many small nodes take longer than what
 * they do, and behind each of them onnxruntime leaves its blocked layout.
 *
 * What somebody else in the graph needs too is left as it is.
 *
 * @param widths channels of the outputs, by name
 */
export function flattenTogether(model: ModelProto, widths: ReadonlyMap<string, number>): ModelProto {
  const { graph } = model;
  const producer = producers(graph);
  const users = consumers(graph);
  const isPooled = (value: string) => producer.get(value)?.opType === 'GlobalAveragePool';
  const flattened = graph.output
    .filter(({ name }) => widths.has(name) && !users.has(name))
    .map(({ name }) => producer.get(name))
    .filter(
      (node): node is NodeProto =>
        node?.opType === 'Flatten' && node.attribute.length === 0 && isPooled(node.input[0]),
    );
  if (flattened.length < 2) return model;

  const fresh = freshNames(model);
  const names = flattened.map(({ output }) => output[0]);
  const sizes = BigInt64Array.from(names, (name) => BigInt(widths.get(name)!));
  const [pooled, flat, split] = ['pooled_together', 'flattened_together', 'widths'].map(fresh);
  const replaced = new Set(flattened);
  const added = [
    makeNode(
      'Concat',
      flattened.map(({ input }) => input[0]),
      pooled,
      { axis: 1 },
    ),
    makeNode('Flatten', [pooled], flat),
    makeNode('Constant', [], split, { value: { dtype: 'int64', shape: [sizes.length], data: sizes } }),
    { ...makeNode('Split', [flat, split], '', { axis: 1 }), output: names },
  ];
  return {
    ...model,
    graph: { ...graph, node: [...graph.node.filter((node) => !replaced.has(node)), ...added] },
  };
}
