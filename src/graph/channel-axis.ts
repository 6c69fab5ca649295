import { intsAttribute } from './attributes.ts';
import type { ModelProto, NodeProto } from './onnx.ts';
import type { Shape, ValueType } from './shapes.ts';
import { requiredInputs, sortNodes } from './topology.ts';

/** Operators that have the channels of what they take and yield at axis 1. */
const channelsSecond = new Set(
  (
    'Conv ConvTranspose BatchNormalization InstanceNormalization GroupNormalization LRN MaxPool AveragePool LpPool ' +
    'GlobalAveragePool GlobalMaxPool Gemm'
  ).split(' '),
);

/** Operators that have them last. */
const channelsLast = new Set(['LayerNormalization', 'RMSNormalization', 'MatMul']);

/**
 * Which axis of each value holds the channels: networks lay them out as N×C×H×W, as N×H×W×C and as N×T×D (tokens), and
 * transpose between these. The operators that tell are followed through those that keep the order.
 *
 * @returns the axis by the value's name, for values whose number of dimensions is known and at least 2
 */
export function channelAxes(model: ModelProto, types: ReadonlyMap<string, ValueType>): Map<string, number> {
  const axes = new Map<string, number>();
  const shapeOf = (name: string) => types.get(name)?.shape;
  for (const { name } of requiredInputs(model.graph)) {
    const shape = shapeOf(name);
    if (shape && shape.length > 1) axes.set(name, shape[1] !== 3 && shape[3] === 3 ? 3 : usualAxis(shape));
  }
  for (const node of sortNodes(model.graph, `graph ${model.graph.name}`))
    for (const name of node.output) {
      const shape = shapeOf(name);
      if (!shape || shape.length < 2) continue;
      const axis = axisOf(node, shape, shapeOf, axes) ?? usualAxis(shape);
      axes.set(name, axis);
    }
  return axes;
}

function axisOf(
  node: NodeProto,
  shape: Shape,
  shapeOf: (name: string) => Shape | undefined,
  axes: ReadonlyMap<string, number>,
): number | undefined {
  if (channelsSecond.has(node.opType)) return 1;
  if (channelsLast.has(node.opType)) return shape.length - 1;
  // A constant beside a value (a bias, a scale) has no axis of its own.
  const from = node.input.find((name) => axes.has(name));
  if (from === undefined) return undefined;
  const axis = axes.get(from)!;
  const before = shapeOf(from)!;
  if (node.opType === 'Transpose') {
    const order = intsAttribute(node, 'perm') ?? before.map((_, at) => before.length - 1 - at);
    return order.indexOf(axis);
  }
  if (node.opType === 'Reshape' || node.opType === 'Flatten') return reshaped(axis, before, shape);
  return before.length === shape.length ? axis : undefined;
}

/** N×C×H×W to N×C×HW, N×H×W×C to N×HW×C: the axis stays the second or the last where its size does. */
function reshaped(axis: number, before: Shape, after: Shape): number | undefined {
  if (axis === 1 && after.length > 2 && before[1] === after[1]) return 1;
  const last = after.length - 1;
  return axis === before.length - 1 && before[axis] === after[last] ? last : undefined;
}

/** N×C, N×C×H×W as in ONNX's own operators, N×T×D as in transformers. */
function usualAxis(shape: Shape): number {
  return shape.length === 3 ? 2 : 1;
}
