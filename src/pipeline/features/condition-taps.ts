import { multiplyAdds, totalMultiplyAdds } from '../../graph/cost.ts';
import type { ModelProto, NodeProto } from '../../graph/onnx.ts';
import { inferShapes, type ValueType } from '../../graph/shapes.ts';
import { consumers, sortNodes } from '../../graph/topology.ts';

/** Conditions are seen in this share of the network's multiplications, from the input on; later layers overlook them. */
const DEPTH = 1 / 3;

/** Multiplications of the network for each number that is pooled: pooling then takes a small share of its time. */
const MULTIPLICATIONS_PER_NUMBER = 400;

/**
 * The values that tell of the conditions in which images were taken, chosen by cost alone: of the convolutions in the first
 * third of the network, from the smallest map on, as many as have together no more than one number for 400 multiplications
 * of the network; at least one. What onnxruntime computes together with a convolution belongs to it: a normalisation, the sum with
 * a shortcut, an activation, rounding to int8. A tap between them would take them apart.
 *
 * @returns names of values, N×C×H×W, in the network's order
 */
export function conditionTaps(backbone: ModelProto): string[] {
  const types = inferShapes(backbone);
  const nodes = sortNodes(backbone.graph, 'the backbone');
  const total = totalMultiplyAdds(nodes, types);
  const users = consumers(backbone.graph);
  const early = new Map<string, { value: string; numbers: number; at: number }>();
  let done = 0;
  for (const node of nodes) {
    if (done >= DEPTH * total) break;
    done += multiplyAdds(node, types);
    const value = node.opType === 'Conv' && !node.domain ? fusedValue(node, users) : undefined;
    const numbers = value === undefined ? undefined : mapSize(types.get(value));
    if (value !== undefined && numbers) early.set(value, { value, numbers, at: early.size });
  }
  let room = total / MULTIPLICATIONS_PER_NUMBER;
  return [...early.values()]
    .sort((a, b) => a.numbers - b.numbers || a.at - b.at)
    .filter(({ numbers }, order) => {
      if (order > 0 && numbers > room) return false;
      room -= numbers;
      return true;
    })
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value);
}

/** What onnxruntime computes together with a convolution, in this order. */
const FUSED = [
  ['BatchNormalization'],
  ['Add'],
  ['Relu', 'LeakyRelu', 'Clip', 'HardSigmoid', 'HardSwish', 'Sigmoid', 'Tanh'],
  ['QuantizeLinear'],
  ['DequantizeLinear'],
] as const;

/** What a convolution yields together with what follows it alone and is computed with it. */
function fusedValue(conv: NodeProto, users: ReadonlyMap<string, readonly NodeProto[]>): string {
  let value = conv.output[0];
  for (const opTypes of FUSED) {
    const [only, ...others] = users.get(value) ?? [];
    const isFused = only && !only.domain && opTypes.some((opType) => opType === only.opType);
    if (isFused && others.length === 0) value = only.output[0];
  }
  return value;
}

/** Numbers of a map for one image; undefined where it is no map, or of one position only. */
function mapSize(type: ValueType | undefined): number | undefined {
  const [channels, ...positions] = type?.shape?.slice(1) ?? [];
  if (positions.length !== 2 || ![channels, ...positions].every((size) => typeof size === 'number'))
    return undefined;
  const area = Number(positions[0]) * Number(positions[1]);
  return area > 1 ? Number(channels) * area : undefined;
}
