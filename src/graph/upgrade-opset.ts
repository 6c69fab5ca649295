import { GraphError } from '../common/errors.ts';
import type { Tensor } from '../common/tensor.ts';
import { attribute, intAttribute, intsAttribute } from './attributes.ts';
import { type Attribute, attributeProto, DEFAULT_OPSET } from './builder.ts';
import { requireOpset } from './check.ts';
import { makeNode, makeValueInfo } from './make.ts';
import { freshNames } from './names.ts';
import { ElementType, type GraphProto, type ModelProto, type NodeProto } from './onnx.ts';
import { inferShapes, type Shape, type ValueType } from './shapes.ts';
import { consumers, nodeLabel } from './topology.ts';

/** The IR version that came with opset 18. */
const IR_VERSION = 8;

/** What a rule may use to rewrite a node. */
interface Tools {
  readonly opset: number;
  /** What is known of the node's first input. */
  readonly shape: Shape | undefined;
  readonly elemType: number | undefined;
  /** Whether anything takes a value. */
  isUsed(name: string): boolean;
  /** Adds a constant before the node, and gives its name; '' for nothing. */
  constant(tensor: Tensor | undefined): string;
}

/** The node in the words of opset 18; undefined where it cannot be said in them. */
type Rule = (node: NodeProto, tools: Tools) => NodeProto | undefined;

/**
 * Rewrites a model of ONNX's operators of before version 18 in those of 18, so that nodes can be joined to it that are
 * written for 18; the graphs within its nodes (If, Loop) too. Operators of other domains stay as they are. What changed from version to version stands in ONNX's
 * changelog of operators (`docs/Changelog.md`).
 *
 * @param where the file, for errors
 * @throws GraphError where a node cannot be said in newer operators
 */
export function upgradeOpset(model: ModelProto, where: string): ModelProto {
  const opset = requireOpset(model, where);
  if (opset >= DEFAULT_OPSET) return model;
  const fresh = freshNames(model);

  /** @param outer what is known of the values around the graph */
  const upgradeGraph = (graph: GraphProto, outer: ReadonlyMap<string, ValueType>): GraphProto => {
    const around = Array.from(outer, ([name, type]) => makeValueInfo(name, type));
    const types = inferShapes({ ...model, graph: { ...graph, input: [...around, ...graph.input] } });
    const used = new Set([...consumers(graph).keys(), ...graph.output.map(({ name }) => name)]);
    const isUsed = (name: string) => used.has(name);
    const node = graph.node.flatMap((node) => {
      const before: NodeProto[] = [];
      const constant = (tensor: Tensor | undefined) => {
        if (!tensor) return '';
        const name = fresh(`${node.output[0]}_operand`);
        before.push(makeNode('Constant', [], name, { value: tensor }));
        return name;
      };
      const rule = node.domain ? undefined : rules[node.opType];
      const { shape, elemType } = types.get(node.input[0]) ?? {};
      const newer = rule ? rule(node, { opset, shape, elemType, isUsed, constant }) : node;
      if (!newer || isRemoved(node, opset))
        throw new GraphError(
          where,
          `${nodeLabel(node)}: ${node.opType} of opset ${opset} cannot be said in opset ${DEFAULT_OPSET}`,
          `export it again with opset ${DEFAULT_OPSET}`,
        );
      const attribute = newer.attribute.map((attribute) => ({
        ...attribute,
        ...(attribute.g && { g: upgradeGraph(attribute.g, types) }),
        graphs: attribute.graphs.map((inner) => upgradeGraph(inner, types)),
      }));
      return [...before, { ...newer, attribute }];
    });
    return { ...graph, node };
  };

  return {
    ...model,
    irVersion: Math.max(model.irVersion, IR_VERSION),
    opsetImport: model.opsetImport.map((set) =>
      set.domain && set.domain !== 'ai.onnx' ? set : { ...set, version: DEFAULT_OPSET },
    ),
    graph: upgradeGraph(model.graph, new Map()),
  };
}

/** Operators that were taken out, or changed in ways that no classifier needs followed, before this version. */
const removedBefore: Readonly<Record<string, number>> = { Scatter: DEFAULT_OPSET, TopK: 10, Scan: 9 };

function isRemoved({ domain, opType }: NodeProto, opset: number): boolean {
  return !domain && opset < (removedBefore[opType] ?? 0);
}

const rules: Readonly<Record<string, Rule>> = {
  BatchNormalization: (node) =>
    intAttribute(node, 'spatial') === 0 || node.output.length > 1 ? undefined : without(node, 'spatial'),
  // In inference it does nothing; its mask is for training.
  Dropout({ output: [output, mask = ''], ...node }, { isUsed }) {
    if (isUsed(mask)) return undefined;
    return { ...node, opType: 'Identity', input: [node.input[0]], output: [output], attribute: [] };
  },
  Clip: operands(
    11,
    ({ node, constant }) => [
      constant(scalar(attribute(node, 'min')?.f)),
      constant(scalar(attribute(node, 'max')?.f)),
    ],
    'min',
    'max',
  ),
  Pad: operands(
    11,
    ({ node, constant }) => [
      constant(integers(intsAttribute(node, 'pads'))),
      constant(scalar(attribute(node, 'value')?.f)),
    ],
    'pads',
    'value',
  ),
  Slice: operands(
    10,
    ({ node, constant }) => [
      constant(integers(intsAttribute(node, 'starts'))),
      constant(integers(intsAttribute(node, 'ends'))),
      constant(integers(intsAttribute(node, 'axes'))),
    ],
    'starts',
    'ends',
    'axes',
  ),
  Squeeze: operands(13, axes, 'axes'),
  Unsqueeze: operands(13, axes, 'axes'),
  ReduceSum: operands(13, axes, 'axes'),
  ...Object.fromEntries(
    'L1 L2 LogSum LogSumExp Max Mean Min Prod SumSquare'
      .split(' ')
      .map((name) => [`Reduce${name}`, operands(18, axes, 'axes')]),
  ),
  Split(node, tools) {
    const sized = operands(
      13,
      ({ node, constant }) => [constant(integers(intsAttribute(node, 'split')))],
      'split',
    )(node, tools)!;
    return sized.input[1] ? sized : withAttributes(sized, { num_outputs: node.output.length });
  },
  Softmax: flattening,
  LogSoftmax: flattening,
  Hardmax: flattening,
  Upsample(node, { constant }) {
    const scales = attribute(node, 'scales')?.floats;
    const sizes = scales
      ? constant({ dtype: 'float32', shape: [scales.length], data: Float32Array.from(scales) })
      : node.input[1];
    return resized(without(node, 'scales'), sizes);
  },
  Resize: (node, { opset }) => (opset < 11 ? resized(node, node.input[1]) : node),
};

/** A rule for an operator whose attributes became inputs with a version. */
function operands(
  since: number,
  made: (tools: Tools & { readonly node: NodeProto }) => string[],
  ...attributes: string[]
): Rule {
  return (node, tools) => {
    if (tools.opset >= since) return node;
    // The constants made here are float32.
    if (
      attributes.some((name) => attribute(node, name)?.f !== undefined) &&
      tools.elemType !== ElementType.float
    )
      return undefined;
    const input = [node.input[0], ...made({ ...tools, node })];
    while (input.at(-1) === '') input.pop();
    return { ...without(node, ...attributes), input };
  };
}

function axes({ node, constant }: Tools & { readonly node: NodeProto }): string[] {
  return [constant(integers(intsAttribute(node, 'axes')))];
}

/** Before version 13 all axes from the given one on were taken as one: the same where only one is larger than 1. */
function flattening(node: NodeProto, { opset, shape }: Tools): NodeProto | undefined {
  if (opset >= 13) return node;
  const given = intAttribute(node, 'axis') ?? 1;
  if (given === -1) return node;
  const axis = given < 0 ? given + (shape?.length ?? 0) : given;
  if (!shape || axis < 0) return undefined;
  const others = shape.slice(axis + 1);
  return others.every((size) => size === 1) ? withAttributes(without(node, 'axis'), { axis }) : undefined;
}

/** What Upsample, and Resize before version 11, mean. */
function resized(node: NodeProto, scales: string): NodeProto {
  const input = [node.input[0], '', scales];
  const meaning = { coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
  return withAttributes({ ...node, opType: 'Resize', input }, meaning);
}

function without(node: NodeProto, ...names: string[]): NodeProto {
  return { ...node, attribute: node.attribute.filter(({ name }) => !names.includes(name)) };
}

function withAttributes(node: NodeProto, attributes: Readonly<Record<string, Attribute>>): NodeProto {
  const added = Object.entries(attributes).map(([name, value]) => attributeProto(name, value));
  return { ...node, attribute: [...node.attribute, ...added] };
}

function scalar(value: number | undefined): Tensor | undefined {
  return value === undefined ? undefined : { dtype: 'float32', shape: [], data: Float32Array.of(value) };
}

function integers(values: readonly number[] | undefined): Tensor | undefined {
  return values && { dtype: 'int64', shape: [values.length], data: BigInt64Array.from(values, BigInt) };
}
