import { intAttribute } from './attributes.ts';
import type { NodeProto } from './onnx.ts';
import type { Dim, Shape, ValueType } from './shapes.ts';

/**
 * Multiplications and additions that a node takes for one image: those of convolutions and matrix products, beside
 * which a network's other operators hardly count. Sizes that are not known, the free batch among them, count as 1.
 */
export function multiplyAdds(node: NodeProto, types: ReadonlyMap<string, ValueType>): number {
  const shape = (name: string | undefined) => types.get(name ?? '')?.shape;
  const [first, second] = node.input.map(shape);
  const output = shape(node.output[0]);
  if (!output || node.domain) return 0;
  switch (node.opType) {
    case 'Conv':
      // The weights' second axis is the channels of one group.
      return second ? count(output) * count(second.slice(1)) : 0;
    case 'ConvTranspose':
      return first && second ? count(first) * count(second.slice(1)) : 0;
    case 'Gemm':
      return count(output) * number(first?.[intAttribute(node, 'transA') ? 0 : 1]);
    case 'MatMul':
      return count(output) * number(first?.at(-1));
    default:
      return 0;
  }
}

/** Those of all nodes. */
export function totalMultiplyAdds(
  nodes: readonly NodeProto[],
  types: ReadonlyMap<string, ValueType>,
): number {
  return nodes.reduce((sum, node) => sum + multiplyAdds(node, types), 0);
}

function count(sizes: Shape): number {
  return sizes.reduce<number>((product, size) => product * number(size), 1);
}

/** PyTorch's exporter calls a size of 65 tokens for each image `65*batch`. */
function number(size: Dim): number {
  if (typeof size === 'number') return size;
  return Number(/^(\d+)\*/.exec(size ?? '')?.[1] ?? 1);
}
