import { toFloat32 } from '../../common/tensor.ts';
import { attribute, intAttribute, intsAttribute } from '../attributes.ts';
import { makeNode } from '../make.ts';
import { freshNames } from '../names.ts';
import type { ModelProto, NodeProto, TensorProto } from '../onnx.ts';
import { inferShapes, type Shape, type ValueType } from '../shapes.ts';
import { dtypeOf, tensorFromProto } from '../tensor-proto.ts';
import { producers } from '../topology.ts';

/** A classifier's last layer where that is linear: logits = weight · x + bias, of the pooled value x that goes into it. */
export interface LinearHead {
  /** The value that goes into it: N×width, or maps or tokens whose mean is meant. */
  readonly input: string;
  readonly classes: number;
  readonly width: number;
  /** classes × width, row-major. */
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/** What the pooled value that goes into the last linear layer is called, where a graph has no other value of the name. */
export const HEAD_INPUT = 'head_input';

/** What may stand between the last linear layer and the logits, and changes no number. */
const passing = new Set(['Identity', 'Cast', 'Dropout', 'Flatten', 'Reshape', 'Squeeze', 'Unsqueeze']);

/** Means over the image or the tokens: they may come after the layer too, since it commutes with them. */
const pooling = new Set(['GlobalAveragePool', 'ReduceMean', 'AveragePool']);

/**
 * The linear layer that makes the logits: a Gemm, a MatMul, or a 1×1 convolution before or after pooling, with what is
 * added to it. Weights may be quantised (DequantizeLinear). Undefined where the logits are made in another way.
 *
 * @param logits the logits' value
 * @param where the file, for errors
 */
export function findHead(
  model: ModelProto,
  logits: string,
  classes: number,
  where: string,
): LinearHead | undefined {
  const types = inferShapes(model);
  const producer = producers(model.graph);
  const constants = constantsOf(model, producer, where);
  const bias = new Float32Array(classes);
  const addBias = (values: Float32Array | undefined, scale = 1): boolean => {
    if (!values || (values.length !== 1 && values.length !== classes)) return false;
    for (let c = 0; c < classes; c++) bias[c] += scale * values[values.length === 1 ? 0 : c];
    return true;
  };
  const head = (input: string, weight: Float32Array | undefined): LinearHead | undefined => {
    const width = (weight?.length ?? 0) / classes;
    return weight && width >= 1 && Number.isInteger(width)
      ? { input, classes, width, weight, bias }
      : undefined;
  };

  let pooled = false;
  for (let value = logits; ; ) {
    const node = producer.get(value);
    if (!node || node.domain) return undefined;
    const { opType, input } = node;
    if (passing.has(opType)) value = input[0];
    else if (pooling.has(opType) && isWholeMean(node, types)) {
      pooled = true;
      value = input[0];
    } else if (opType === 'DequantizeLinear' && producer.get(input[0])?.opType === 'QuantizeLinear')
      value = producer.get(input[0])!.input[0];
    else if (opType === 'Add') {
      const [at, values] = constants(input[0]) ? [1, constants(input[0])!] : [0, constants(input[1])];
      if (!addBias(values?.data)) return undefined;
      value = input[at];
    } else if (opType === 'Gemm') {
      const weight = constants(input[1]);
      if (!weight || intAttribute(node, 'transA')) return undefined;
      const { alpha, beta } = scalesOf(node);
      if (input[2] && !addBias(constants(input[2])?.data, beta)) return undefined;
      const rows = intAttribute(node, 'transB') ? weight.data : transposed(weight);
      return head(input[0], alpha === 1 ? rows : rows.map((number) => alpha * number));
    } else if (opType === 'MatMul') {
      const weight = constants(input[1]);
      return weight?.shape.length === 2 ? head(input[0], transposed(weight)) : undefined;
    } else if (opType === 'Conv') {
      const weight = constants(input[1]);
      if (!weight || !isPointwise(node, weight.shape)) return undefined;
      // Of more than one position there is a mean behind it, or what is flattened are no logits.
      const plane = types.get(input[0])?.shape?.slice(2) ?? [];
      if (!pooled && !plane.every((size) => size === 1)) return undefined;
      if (input[2] && !addBias(constants(input[2])?.data)) return undefined;
      return head(input[0], weight.data);
    } else return undefined;
  }
}

/**
 * The graph with a value of its own for what goes into the last linear layer, to be tapped: its name is `HEAD_INPUT`, or
 * another where that is taken.
 */
export function nameHeadInput(model: ModelProto, { input }: LinearHead): { model: ModelProto; name: string } {
  const name = freshNames(model)(HEAD_INPUT);
  const node = [...model.graph.node, makeNode('Identity', [input], name)];
  return { model: { ...model, graph: { ...model.graph, node } }, name };
}

interface Constant {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What a value is where no input of the graph takes part in it: constants, dequantised or transposed. */
function constantsOf(model: ModelProto, producer: ReadonlyMap<string, NodeProto>, where: string) {
  const initializers = new Map(model.graph.initializer.map((tensor) => [tensor.name, tensor]));
  const read = (tensor: TensorProto | undefined): Constant | undefined => {
    if (!tensor || !dtypeOf(tensor.dataType)) return undefined;
    const { shape, ...values } = tensorFromProto(tensor, where);
    return { shape, data: toFloat32({ shape, ...values }) };
  };
  const constant = (name: string): Constant | undefined => {
    if (initializers.has(name)) return read(initializers.get(name));
    const node = producer.get(name);
    if (!node || node.domain) return undefined;
    if (node.opType === 'Constant') return read(attribute(node, 'value')?.t);
    const from = constant(node.input[0]);
    if (!from) return undefined;
    switch (node.opType) {
      case 'Identity':
      case 'Cast':
        return from;
      case 'Transpose': {
        const order = intsAttribute(node, 'perm') ?? [1, 0];
        if (from.shape.length !== 2) return undefined;
        return order[0] === 0 ? from : { shape: [from.shape[1], from.shape[0]], data: transposed(from) };
      }
      case 'DequantizeLinear':
        return dequantized(node, from, constant(node.input[1]), constant(node.input[2] ?? ''));
      default:
        return undefined;
    }
  };
  return constant;
}

/** (x − zero point) · scale, of all or along an axis. */
function dequantized(
  node: NodeProto,
  { shape, data }: Constant,
  scale: Constant | undefined,
  zero: Constant | undefined,
): Constant | undefined {
  if (!scale || (intAttribute(node, 'block_size') ?? 0) > 0) return undefined;
  const axis = (intAttribute(node, 'axis') ?? 1) + (0 > (intAttribute(node, 'axis') ?? 1) ? shape.length : 0);
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const at = (index: number) => (scale.data.length === 1 ? 0 : Math.floor(index / inner) % shape[axis]);
  return {
    shape,
    data: data.map((number, index) => (number - (zero?.data[at(index)] ?? 0)) * scale.data[at(index)]),
  };
}

function transposed({ shape: [rows, columns], data }: Constant): Float32Array {
  const turned = new Float32Array(data.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) turned[j * rows + i] = data[i * columns + j];
  return turned;
}

function scalesOf(node: NodeProto): { alpha: number; beta: number } {
  return { alpha: attribute(node, 'alpha')?.f ?? 1, beta: attribute(node, 'beta')?.f ?? 1 };
}

function isPointwise(node: NodeProto, shape: readonly number[]): boolean {
  const all = (name: string, value: number) =>
    (intsAttribute(node, name) ?? []).every((size) => size === value);
  const kernel = shape.slice(2).every((size) => size === 1);
  return kernel && (intAttribute(node, 'group') ?? 1) === 1 && all('pads', 0) && all('strides', 1);
}

/** Whether a node takes the mean over all positions of the image, or over all tokens, and over nothing else. */
function isWholeMean(node: NodeProto, types: ReadonlyMap<string, ValueType>): boolean {
  const [before, after] = [node.input[0], node.output[0]].map((name) => types.get(name)?.shape);
  if (node.opType === 'GlobalAveragePool') return true;
  if (!before || !after || before.length < 3) return false;
  if (node.opType === 'ReduceMean') return isReducedToRow(before, after);
  const kernel = intsAttribute(node, 'kernel_shape');
  const pads = intsAttribute(node, 'pads') ?? [];
  return kernel?.every((size, axis) => size === before[axis + 2]) === true && pads.every((pad) => pad === 0);
}

/** N×C×H×W, N×H×W×C or N×T×D to N×C, whatever ones are kept: the batch and one other axis are left. */
function isReducedToRow(before: Shape, after: Shape): boolean {
  const left = after.slice(1).filter((size) => size !== 1);
  return after[0] === before[0] && left.length <= 1;
}
