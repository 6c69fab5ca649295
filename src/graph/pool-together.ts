import type { Attribute } from './builder.ts';
import { makeNode } from './make.ts';
import { freshNames } from './names.ts';
import type { ModelProto, NodeProto } from './onnx.ts';
import { pruneUnused } from './rewrite.ts';
import { inferShapes } from './shapes.ts';
import { consumers, producers } from './topology.ts';

/** Adds a node whose output is named after a word; gives that name. */
type AddNode = (
  opType: string,
  input: string[],
  word: string,
  attributes?: Record<string, Attribute>,
) => string;

/**
 * Pools the outputs that `exposeTaps` made all at once: deviations over maps of one size by one Concat of the maps, one node
 * a step, and one Split that has all their names; what is pooled to N×C×1×1 by one Concat, one Flatten, and one Split. At a
 * batch of one image, that many small nodes take longer than what they do, and before each of them onnxruntime leaves its
 * blocked layout.
 *
 * What somebody else in the graph needs too is left as it is.
 *
 * @param widths channels of the outputs, by name
 */
export function poolTogether(model: ModelProto, widths: ReadonlyMap<string, number>): ModelProto {
  return flattenTogether(deviateTogether(model, widths), widths);
}

function deviateTogether(model: ModelProto, widths: ReadonlyMap<string, number>): ModelProto {
  const producer = producers(model.graph);
  const shapes = inferShapes(model);
  const bySize = new Map<string, Map<string, string>>();
  for (const name of lastOf(model, widths)) {
    const maps = deviatingMaps(name, producer);
    const size = shapes.get(maps ?? '')?.shape?.slice(2);
    if (maps === undefined || !size?.every((side) => typeof side === 'number')) continue;
    const key = size.join('×');
    bySize.set(key, (bySize.get(key) ?? new Map()).set(name, maps));
  }
  let together = model;
  for (const maps of bySize.values())
    together = inOne(together, maps, widths, (add, all) => {
      const centered = add('Sub', [all, add('GlobalAveragePool', [all], 'mean')], 'centred');
      const variance = add('GlobalAveragePool', [add('Mul', [centered, centered], 'squares')], 'variance');
      return add('Sqrt', [add('Flatten', [variance], 'flat')], 'deviation');
    });
  return together;
}

function flattenTogether(model: ModelProto, widths: ReadonlyMap<string, number>): ModelProto {
  const producer = producers(model.graph);
  const pooled = lastOf(model, widths).flatMap((name) => {
    const value = inputOf(name, 'Flatten', producer);
    return value !== undefined && inputOf(value, 'GlobalAveragePool', producer)
      ? [[name, value] as const]
      : [];
  });
  return inOne(model, new Map(pooled), widths, (add, all) => add('Flatten', [all], 'flat'));
}

/** Those outputs that no node takes. */
function lastOf({ graph }: ModelProto, widths: ReadonlyMap<string, number>): string[] {
  const users = consumers(graph);
  return graph.output.map(({ name }) => name).filter((name) => widths.has(name) && !users.has(name));
}

/** The maps whose deviation over positions an output is, by the nodes that `exposeTaps` writes for it. */
function deviatingMaps(output: string, producer: ReadonlyMap<string, NodeProto>): string | undefined {
  const variance = inputOf(inputOf(output, 'Sqrt', producer), 'Flatten', producer);
  const squares = inputOf(variance, 'GlobalAveragePool', producer);
  const centered = inputOf(squares, 'Mul', producer);
  const mean = inputOf(centered, 'Sub', producer, 1);
  const maps = inputOf(mean, 'GlobalAveragePool', producer);
  const isDeviation =
    maps === inputOf(centered, 'Sub', producer) && centered === inputOf(squares, 'Mul', producer, 1);
  return isDeviation ? maps : undefined;
}

/** What the node takes that yields a value, where it is of that operator and has no attributes. */
function inputOf(
  value: string | undefined,
  opType: string,
  producer: ReadonlyMap<string, NodeProto>,
  at = 0,
): string | undefined {
  const node = value === undefined ? undefined : producer.get(value);
  return node?.opType === opType && node.attribute.length === 0 ? node.input[at] : undefined;
}

/**
 * In place of what yields the outputs: their values side by side as channels, what `steps` makes of them, and a Split.
 *
 * @param values what each output is made of, by its name
 */
function inOne(
  model: ModelProto,
  values: ReadonlyMap<string, string>,
  widths: ReadonlyMap<string, number>,
  steps: (add: AddNode, all: string) => string,
): ModelProto {
  if (values.size < 2) return model;
  const fresh = freshNames(model);
  const added: NodeProto[] = [];
  const add: AddNode = (opType, input, word, attributes) => {
    const output = fresh(`${word}_together`);
    added.push(makeNode(opType, input, output, attributes));
    return output;
  };
  const names = [...values.keys()];
  const sizes = BigInt64Array.from(names, (name) => BigInt(widths.get(name)!));
  const all = steps(add, add('Concat', [...values.values()], 'values', { axis: 1 }));
  const split = add('Constant', [], 'widths', {
    value: { dtype: 'int64', shape: [sizes.length], data: sizes },
  });
  added.push({ ...makeNode('Split', [all, split], '', { axis: 1 }), output: names });
  const node = model.graph.node.filter(({ output }) => !values.has(output[0]));
  return pruneUnused({ ...model, graph: { ...model.graph, node: [...node, ...added] } });
}
