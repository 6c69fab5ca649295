import { elementCount, type Tensor, toFloat16, toFloat32 } from '../common/tensor.ts';
import { makeNode } from './make.ts';
import { freshNames } from './names.ts';
import { ElementType, type ModelProto, type TensorProto } from './onnx.ts';
import { tensorFromProto, tensorToProto } from './tensor-proto.ts';

/**
 * The same model with weights as half floats, which it makes float32 of before it uses them: half as large, and computed as before by
 * every runtime, from weights of 11 bits. Biases and statistics, which are small, and weights beyond what half floats reach
 * stay as they are.
 *
 * @param names constants that may be rounded
 * @param where the file, for errors
 */
export function withHalfWeights(model: ModelProto, names: ReadonlySet<string>, where: string): ModelProto {
  const { graph } = model;
  const fresh = freshNames(model);
  const node = [...graph.node];
  const initializer = graph.initializer.map((own) => {
    const half = names.has(own.name) && halfOf(own, where);
    if (!half) return own;
    const stored = tensorToProto(fresh(`${own.name}_half`), half);
    node.unshift(makeNode('Cast', [stored.name], own.name, { to: ElementType.float }));
    return stored;
  });
  return { ...model, graph: { ...graph, node, initializer } };
}

/** Undefined for what stays as it is. */
function halfOf(proto: TensorProto, where: string): Tensor | undefined {
  const { dims: shape, dataType } = proto;
  if (dataType !== ElementType.float || shape.length < 2 || elementCount(shape) < 256) return undefined;
  const data = toFloat16(tensorFromProto(proto, where).data as Float32Array);
  const half: Tensor = { dtype: 'float16', shape, data };
  return toFloat32(half).every(Number.isFinite) ? half : undefined;
}
