import type { AttributeProto, NodeProto } from './onnx.ts';

const utf8 = new TextDecoder();

/** A node's attribute by its name. */
export function attribute(node: NodeProto, name: string): AttributeProto | undefined {
  return node.attribute.find((candidate) => candidate.name === name);
}

/** An integer attribute; one beyond 2^53 comes rounded. */
export function intAttribute(node: NodeProto, name: string): number | undefined {
  const i = attribute(node, name)?.i;
  return i === undefined ? undefined : Number(i);
}

/** An attribute that is a list of integers; those beyond 2^53 come rounded. */
export function intsAttribute(node: NodeProto, name: string): number[] | undefined {
  return attribute(node, name)?.ints.map(Number);
}

/** An attribute that is text. */
export function stringAttribute(node: NodeProto, name: string): string | undefined {
  const s = attribute(node, name)?.s;
  return s && utf8.decode(s);
}
