import { GraphError } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import type { Tensor } from '../../common/tensor.ts';
import { makeNode, makeValueInfo } from '../make.ts';
import { freshNames } from '../names.ts';
import type { ModelProto, NodeProto, ValueInfo } from '../onnx.ts';
import { pruneUnused } from '../rewrite.ts';
import { inferShapes } from '../shapes.ts';
import { neededValues, nodeLabel, sortNodes } from '../topology.ts';
import { constantsOf } from './constants.ts';
import { NodeWriter } from './node-writer.ts';
import { gradientOf, nextOf } from './output-names.ts';
import type { Rule, Site } from './rule.ts';
import { rules } from './rule-table.ts';

/**
 * The gradient of a graph is a graph: it computes what the given one does in training (batch normalisation by the batch's
 * statistics), and then, node by node from the loss back, how the loss changes with each of the values asked for. Outputs
 * are those of the graph, `gradient/NAME` for each of these, and `next/NAME` for each running statistic.
 *
 * Only standard operators are written. What no gradient passes through is left as it is, and what nothing needs is dropped.
 *
 * @param model of opset 18 or later; the size of its batch may be free
 * @param loss an output, a scalar
 * @param wanted graph inputs or initializers
 * @param where the file, for errors
 * @throws GraphError that names the node with an operator, or a setting, that has no gradient here
 */
export function gradientGraph(
  model: ModelProto,
  loss: string,
  wanted: readonly string[],
  where = 'model',
): ModelProto {
  const { graph } = model;
  const write = new NodeWriter(freshNames(model));
  const types = inferShapes(model);
  const constant = constantsOf(graph, where);
  const updates = new Map<string, string>();
  const steps = sortNodes(graph, where);
  const learning = dependents(steps, wanted);

  const taken: { site: Site; rule?: Rule }[] = steps.map((node) => {
    const site = siteOf(node);
    // The rules may write otherwise what is trained only.
    const rule = node.domain || !learning.has(node.output[0]) ? undefined : rules[node.opType];
    if (rule?.forward) rule.forward(site);
    else write.nodes.push(node);
    return { site, rule };
  });

  const parts = new Map<string, string[]>([[loss, [write.floats(1)]]]);
  for (const { site, rule } of taken.reverse()) {
    const { node } = site;
    const index = node.output.findIndex((name) => parts.has(name));
    if (index < 0 || !learning.has(node.output[0])) continue;
    if (!rule)
      throw new GraphError(
        `${where}: ${nodeLabel(node)}`,
        `training does not know the operator ${printable(node.opType)}`,
        `it knows ${Object.keys(rules).join(', ')}`,
      );
    if (index > 0) throw site.unsupported('a second output');
    const gradients = rule.backward(site, sum(parts.get(node.output[0])!));
    node.input.forEach((name, i) => {
      const gradient = gradients[i];
      if (gradient === undefined || !learning.has(name)) return;
      const known = parts.get(name);
      if (known) known.push(gradient);
      else parts.set(name, [gradient]);
    });
  }

  const outputs: ValueInfo[] = [];
  const yields = (output: string, value: string, like: string) => {
    write.nodes.push(makeNode('Identity', [value], output));
    outputs.push(makeValueInfo(output, types.get(like) ?? {}));
  };
  for (const name of wanted) {
    const found = parts.get(name);
    // What the loss does not depend on has a gradient of zeros.
    yields(gradientOf(name), found ? sum(found) : write.node('Sub', [name, name]), name);
  }
  for (const [name, value] of updates) yields(nextOf(name), value, name);
  return pruneUnused({
    ...model,
    graph: {
      ...graph,
      node: write.nodes,
      initializer: [...graph.initializer, ...write.initializers],
      output: [...graph.output, ...outputs],
      // What is said of values within may be said of those that are written otherwise.
      valueInfo: [],
    },
  });

  function sum(names: readonly string[]): string {
    return names.length === 1 ? names[0] : write.node(names.length === 2 ? 'Add' : 'Sum', names);
  }

  function siteOf(node: NodeProto): Site {
    const unsupported = (what: string) =>
      new GraphError(
        `${where}: ${nodeLabel(node)}`,
        `training does not know ${node.opType} with ${what}`,
        'export the network in another way',
      );
    const sizes = (name: string) =>
      types.get(name)?.shape?.map((size, axis) => {
        if (typeof size === 'number') return size;
        if (axis === 0) return size ?? 'batch';
        throw unsupported(`the value ${printable(name)}, whose shape cannot be inferred`);
      }) ?? fail(unsupported(`the value ${printable(name)}, whose shape cannot be inferred`));
    const setting = (index: number): Tensor | undefined => {
      const name = node.input[index] ?? '';
      if (name === '') return undefined;
      return constant(name) ?? fail(unsupported(`the input ${printable(name)}, which is computed`));
    };
    return {
      node,
      write,
      kept: new Map(),
      wants: (index) => learning.has(node.input[index] ?? ''),
      shape: (index) => sizes(node.input[index]),
      outputShape: () => sizes(node.output[0]),
      constant: setting,
      integers: (index) => {
        const tensor = setting(index);
        return tensor && Array.from(tensor.data as BigInt64Array, Number);
      },
      update: (name, value) => updates.set(name, value),
      unsupported,
    };
  }
}

/** The values that follow from some, these included. */
function dependents(sorted: readonly NodeProto[], names: readonly string[]): Set<string> {
  const found = new Set(names);
  for (const node of sorted)
    if (neededValues(node).some((name) => found.has(name)))
      for (const output of node.output) if (output !== '') found.add(output);
  return found;
}

function fail(error: Error): never {
  throw error;
}
