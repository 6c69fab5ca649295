import { type Tensor, toFloat32 } from '../../common/tensor.ts';
import { attribute, intAttribute } from '../attributes.ts';
import { ElementType, type GraphProto } from '../onnx.ts';
import { tensorFromProto } from '../tensor-proto.ts';
import { producers } from '../topology.ts';

/** Gives what is known of a graph's values before it runs: initializers, and Constant nodes, cast or under a second name. */
export function constantsOf(graph: GraphProto, where: string): (name: string) => Tensor | undefined {
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const producer = producers(graph);
  return function constant(name): Tensor | undefined {
    const initializer = initializers.get(name);
    if (initializer) return tensorFromProto(initializer, where);
    const node = producer.get(name);
    if (node?.opType === 'Identity') return constant(node.input[0]);
    if (node?.opType === 'Constant') {
      const proto = attribute(node, 'value')?.t;
      return proto && tensorFromProto(proto, where);
    }
    // PyTorch writes ReLU6's bounds as constants that are cast.
    if (node?.opType !== 'Cast' || intAttribute(node, 'to') !== ElementType.float) return undefined;
    const value = constant(node.input[0]);
    return value && { dtype: 'float32', shape: value.shape, data: toFloat32(value) };
  };
}
