import { type Attribute, attributeProto } from './builder.ts';
import type { NodeProto, ValueInfo } from './onnx.ts';
import type { Dim } from './shape-arithmetic.ts';
import type { ValueType } from './shapes.ts';

/** A node of ONNX's own operators with one output. It has no name: nodes must not share one, and need none. */
export function makeNode(
  opType: string,
  input: string[],
  output: string,
  attributes: Readonly<Record<string, Attribute>> = {},
): NodeProto {
  const attribute = Object.entries(attributes).map(([name, value]) => attributeProto(name, value));
  return { opType, input, output: [output], attribute, metadataProps: [] };
}

/** The description of a value, with as much of its type as is known. */
export function makeValueInfo(name: string, { elemType, shape }: ValueType): ValueInfo {
  if (elemType === undefined) return { name };
  const dim = (size: Dim) =>
    typeof size === 'string' ? { dimParam: size } : size === undefined ? {} : { dimValue: size };
  return { name, type: { tensorType: { elemType, ...(shape && { shape: { dim: shape.map(dim) } }) } } };
}
