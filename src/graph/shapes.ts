import { GraphError } from '../common/errors.ts';
import { attribute, intAttribute, intsAttribute } from './attributes.ts';
import { ElementType, type ModelProto, type NodeProto, type TensorProto, type TypeProto } from './onnx.ts';
import { type Shape, ShapeError } from './shape-arithmetic.ts';
import { type Operands, type ShapeRule, shapeRules } from './shape-rules.ts';
import { tensorFromProto } from './tensor-proto.ts';
import { nodeLabel, sortNodes } from './topology.ts';

export type { Dim, Shape } from './shape-arithmetic.ts';

/** What is known of a value before the graph runs. */
export interface ValueType {
  /** One of `ElementType`. */
  readonly elemType?: number;
  /** Undefined where not even the number of dimensions is known. */
  readonly shape?: Shape;
}

/** Tensors of more elements are no shapes, axes or pads. */
const LONGEST_CONTENT = 64;

/**
 * Element types and shapes of all values of a graph, from those of its inputs and from what the model itself declares.
 * What comes out of an operator that `shape-rules.ts` does not know is left open.
 *
 * @param where the file, for errors
 * @throws GraphError where the graph has a cycle, a constant is damaged, or a node takes axes or sizes that cannot be
 *
 * @example
 * ```ts
 * import { inferShapes, readModel } from 'la-ood/onnx';
 *
 * for (const [value, { shape }] of inferShapes(await readModel('model.onnx'))) console.log(value, shape);
 * ```
 */
export function inferShapes({ graph }: ModelProto, where = `graph ${graph.name}`): Map<string, ValueType> {
  const types = new Map<string, ValueType>();
  const contents = new Map<string, Shape>();
  const know = (name: string, content: Shape | undefined) => content && contents.set(name, content);
  for (const { name, type } of [...graph.valueInfo, ...graph.output, ...graph.input])
    types.set(name, declaredType(type));
  for (const tensor of graph.initializer) {
    types.set(tensor.name, { elemType: tensor.dataType, shape: tensor.dims });
    know(tensor.name, integersOf(tensor, where));
  }

  for (const node of sortNodes(graph, where)) {
    const operands: Operands = {
      node,
      shapes: node.input.map((name) => types.get(name)?.shape),
      contents: node.input.map((name) => contents.get(name)),
    };
    const elemTypes = node.input.map((name) => types.get(name)?.elemType);
    node.output.forEach((name, index) => {
      const declared = types.get(name) ?? {};
      const rule = node.domain ? undefined : shapeRules[node.opType];
      if (rule)
        types.set(name, {
          elemType: elemTypeOf(node, elemTypes, index) ?? declared.elemType,
          shape: refined(shapeBy(rule, operands, index, where), declared.shape),
        });
    });
    if (!node.domain) know(node.output[0], contentOf(operands, where));
  }
  return types;
}

function shapeBy(rule: ShapeRule, operands: Operands, index: number, where: string): Shape | undefined {
  try {
    return rule(operands, index);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new GraphError(
      where,
      `${nodeLabel(operands.node)} takes ${error.message}`,
      'export it again',
      error,
    );
  }
}

function declaredType(type: TypeProto | undefined): ValueType {
  const tensor = type?.tensorType;
  return {
    elemType: tensor?.elemType,
    shape: tensor?.shape?.dim.map(({ dimValue, dimParam }) => dimValue ?? (dimParam || undefined)),
  };
}

/** Fills what was inferred from what the model declares, where the two are of one rank. */
function refined(inferred: Shape | undefined, declared: Shape | undefined): Shape | undefined {
  if (!inferred) return declared;
  return inferred.length === declared?.length
    ? inferred.map((size, axis) => size ?? declared[axis])
    : inferred;
}

/** The element type of an output: that of the first input, but for these operators. */
function elemTypeOf(
  node: NodeProto,
  inputs: readonly (number | undefined)[],
  index: number,
): number | undefined {
  switch (node.opType) {
    case 'Cast':
      return intAttribute(node, 'to');
    case 'Constant':
      return constantTensor(node)?.dataType;
    case 'ConstantOfShape':
      return constantTensor(node)?.dataType ?? ElementType.float;
    case 'Shape':
    case 'ArgMax':
    case 'ArgMin':
      return ElementType.int64;
    case 'Equal':
    case 'Greater':
    case 'GreaterOrEqual':
    case 'Less':
    case 'LessOrEqual':
      return ElementType.bool;
    case 'Where':
    case 'DequantizeLinear':
      return inputs[1];
    case 'OneHot':
      return inputs[2];
    case 'QuantizeLinear':
      return inputs[2] ?? ElementType.uint8;
    case 'MaxPool':
      return index === 0 ? inputs[0] : ElementType.int64;
    case 'Dropout':
      return index === 0 ? inputs[0] : ElementType.bool;
    default:
      return inputs[0];
  }
}

/**
 * What a node yields, where that is a short list of integers: shapes are computed in the graph itself
 * (`x.view(x.size(0), -1)` is exported as Shape, Gather, Unsqueeze, Concat, Reshape).
 */
function contentOf({ node, shapes, contents }: Operands, where: string): Shape | undefined {
  const [first, second] = contents;
  switch (node.opType) {
    case 'Constant': {
      const tensor = constantTensor(node);
      return tensor && integersOf(tensor, where);
    }
    case 'Shape':
      return shapes[0]?.slice(intAttribute(node, 'start') ?? 0, intAttribute(node, 'end'));
    case 'Gather':
      return first && second?.map((at) => (typeof at === 'number' ? first.at(at) : undefined));
    case 'Slice':
      return slicedList(node, contents);
    case 'Concat':
      return contents.every((content) => content !== undefined) ? contents.flat() : undefined;
    case 'Cast':
    case 'Identity':
    case 'Squeeze':
    case 'Unsqueeze':
      return first;
    default:
      return undefined;
  }
}

/** A part of a list, such as the first size of a shape; with a step of its own it is left open. */
function slicedList(node: NodeProto, [list, ...bounds]: Operands['contents']): Shape | undefined {
  const [start] = bounds[0] ?? intsAttribute(node, 'starts') ?? [];
  const [end] = bounds[1] ?? intsAttribute(node, 'ends') ?? [];
  if (node.input[4] || typeof start !== 'number' || typeof end !== 'number') return undefined;
  return list?.slice(start, end);
}

function constantTensor(node: NodeProto): TensorProto | undefined {
  return attribute(node, 'value')?.t;
}

function integersOf(tensor: TensorProto, where: string): Shape | undefined {
  const integer = tensor.dataType === ElementType.int64 || tensor.dataType === ElementType.int32;
  if (!integer || tensor.dims.length > 1 || (tensor.dims[0] ?? 1) > LONGEST_CONTENT) return undefined;
  return Array.from(tensorFromProto(tensor, where).data as ArrayLike<number | bigint>, Number);
}
