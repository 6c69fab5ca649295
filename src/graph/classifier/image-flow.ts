import { GraphError } from '../../common/errors.ts';
import type { ModelProto, NodeProto } from '../onnx.ts';
import type { ValueType } from '../shapes.ts';
import { neededValues, sortNodes } from '../topology.ts';

/** Operators whose outputs say nothing of what is in an image. */
const blind = new Set(['Shape', 'Size']);

/** Operators that have weights, or mix what they take: what comes out is a new feature. */
const mixing = new Set([
  ...['Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'Attention'],
  ...['ConvInteger', 'MatMulInteger', 'QLinearConv', 'QLinearMatMul'],
]);

/** The part of a network that the image runs through, from the input to the logits. */
export interface ImageFlow {
  /** In the order of execution. */
  readonly nodes: readonly NodeProto[];
  /** The nodes that take a value. */
  users(value: string): readonly NodeProto[];
  /** Whether a value depends on the image, and the logits on it. */
  carries(value: string): boolean;
  /** Whether all that the logits know of the image passes through this value: it ends a block. */
  isCut(value: string): boolean;
  /** Whether a node adds up two branches of the network, be one of them a mere shortcut. */
  isResidualSum(node: NodeProto): boolean;
}

/**
 * @param input the image's value
 * @param logits the value that is the logits
 * @throws GraphError as `flowNodes`
 */
export function imageFlow(
  model: ModelProto,
  input: string,
  logits: string,
  types: ReadonlyMap<string, ValueType>,
): ImageFlow {
  const nodes = flowNodes(model, input, logits);
  // An output that a node leaves out has no name, and neither has an input.
  const carried = new Set([input, ...nodes.flatMap(({ output }) => output)].filter((name) => name !== ''));
  const users = new Map<string, NodeProto[]>();
  for (const node of nodes)
    for (const name of imageInputs(node, carried)) users.set(name, [...(users.get(name) ?? []), node]);
  const cuts = cutsOf(nodes, input, users);
  const sums = residualSums(nodes, input, carried, types);
  return {
    nodes,
    users: (value) => users.get(value) ?? [],
    carries: (value) => carried.has(value),
    isCut: (value) => cuts.has(value),
    isResidualSum: (node) => sums.has(node),
  };
}

/**
 * The nodes that the image runs through, in the order of execution.
 *
 * @throws GraphError where the graph has a cycle, or the logits do not depend on the image
 */
export function flowNodes(
  { graph }: ModelProto,
  input: string,
  logits: string,
  where = `graph ${graph.name}`,
): NodeProto[] {
  const nodes = betweenOf(sortNodes(graph, where), input, logits);
  if (nodes.length === 0)
    throw new GraphError(
      where,
      `its logits ${logits} do not depend on its input ${input}`,
      'export the whole classifier',
    );
  return nodes;
}

/** The values that a node takes and that come from the image, each once. */
function imageInputs(node: NodeProto, carried: ReadonlySet<string>): string[] {
  return [...new Set(neededValues(node))].filter((name) => carried.has(name));
}

/** The nodes that the image reaches, and that the logits need for what they know of it. */
function betweenOf(sorted: readonly NodeProto[], input: string, logits: string): NodeProto[] {
  const reached = new Set([input]);
  const forward = sorted.filter((node) => {
    const isReached = !blind.has(node.opType) && neededValues(node).some((name) => reached.has(name));
    if (isReached) for (const name of node.output) if (name) reached.add(name);
    return isReached;
  });
  const needed = new Set([logits]);
  return forward
    .reverse()
    .filter((node) => {
      const isNeeded = node.output.some((name) => needed.has(name));
      if (isNeeded) for (const name of imageInputs(node, reached)) needed.add(name);
      return isNeeded;
    })
    .reverse();
}

/** A value is a cut where nothing else that was computed before it is needed after it. */
function cutsOf(
  nodes: readonly NodeProto[],
  input: string,
  users: ReadonlyMap<string, readonly NodeProto[]>,
): Set<string> {
  const cuts = new Set<string>();
  const waiting = new Map([[input, users.get(input)?.length ?? 0]]);
  const carried = new Set([...users.keys()]);
  for (const node of nodes) {
    for (const name of imageInputs(node, carried)) {
      const left = waiting.get(name)! - 1;
      if (left > 0) waiting.set(name, left);
      else waiting.delete(name);
    }
    for (const name of node.output) if (users.has(name)) waiting.set(name, users.get(name)!.length);
    const [only] = waiting.keys();
    if (waiting.size === 1 && node.output.includes(only)) cuts.add(only);
  }
  return cuts;
}

/**
 * Additions of values of one shape that come from different features. In `x + 0.04 x³`, a part of GELU, and in a
 * normalisation said in elementary operators, both come from the same one.
 */
function residualSums(
  nodes: readonly NodeProto[],
  input: string,
  carried: ReadonlySet<string>,
  types: ReadonlyMap<string, ValueType>,
): Set<NodeProto> {
  const sums = new Set<NodeProto>();
  /** The features that a value is made of without further mixing. */
  const sources = new Map<string, ReadonlySet<string>>([[input, new Set([input])]]);
  for (const node of nodes) {
    const inputs = imageInputs(node, carried);
    const each = inputs.map((name) => sources.get(name)!);
    const all = new Set(each.flatMap((set) => [...set]));
    const adds = (node.opType === 'Add' || node.opType === 'Sum') && !node.domain && inputs.length > 1;
    const isSum =
      adds &&
      each.some((set) => set.size < all.size) &&
      inputs.every((name) => isSameShape(types.get(name), types.get(node.output[0])));
    if (isSum) sums.add(node);
    const made = isSum || mixing.has(node.opType) ? new Set([node.output[0]]) : all;
    for (const name of node.output) sources.set(name, made);
  }
  return sums;
}

function isSameShape({ shape: a }: ValueType = {}, { shape: b }: ValueType = {}): boolean {
  return a !== undefined && a.length === b?.length && a.every((size, axis) => size === b[axis]);
}
