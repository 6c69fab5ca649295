import { GraphError } from '../common/errors.ts';
import type { ModelProto, TensorProto, ValueInfo } from './onnx.ts';

/** The parts of a model that say what it is: its metadata, what goes in and comes out, and its tensors by name. */
export interface ModelOutline {
  readonly metadataProps: ModelProto['metadataProps'];
  readonly graph: {
    readonly input: readonly ValueInfo[];
    readonly output: readonly Pick<ValueInfo, 'name'>[];
    readonly initializer: readonly Pick<TensorProto, 'name' | 'rawData' | 'floatData'>[];
  };
}

/**
 * Reads the outline of an ONNX model straight from its bytes: `decodeModel` generates code, which a page's content policy
 * forbids. Raw data share the memory of `bytes`. Format: Protocol Buffers, "Encoding"; field numbers as in `schema.ts`.
 *
 * @param where the file, for errors
 * @throws GraphError where the bytes are no ONNX model
 */
export function scanOutline(bytes: Uint8Array, where: string): ModelOutline {
  const scan = (message: Uint8Array) => fieldsOf(message, where);
  const model = scan(bytes);
  const [graphBytes] = blocks(model, 7);
  if (!graphBytes) throw new GraphError(where, 'holds no graph', 'is it an ONNX model?');
  const graph = scan(graphBytes);
  const valueInfo = (message: Uint8Array): ValueInfo => {
    const fields = scan(message);
    const [shape] = blocks(fields, 2)
      .flatMap((type) => blocks(scan(type), 1))
      .flatMap((tensorType) => blocks(scan(tensorType), 2));
    const dim = shape && blocks(scan(shape), 1).map((size) => dimension(scan(size)));
    return { name: text(fields, 1), ...(dim && { type: { tensorType: { elemType: 0, shape: { dim } } } }) };
  };
  return {
    metadataProps: blocks(model, 14)
      .map(scan)
      .map((entry) => ({ key: text(entry, 1), value: text(entry, 2) })),
    graph: {
      input: blocks(graph, 11).map(valueInfo),
      output: blocks(graph, 12).map((message) => ({ name: text(scan(message), 1) })),
      initializer: blocks(graph, 5).map((message) => {
        const fields = scan(message);
        const [rawData] = blocks(fields, 9);
        return { name: text(fields, 8), rawData, floatData: blocks(fields, 4).flatMap(floats) };
      }),
    },
  };
}

/** The values of a message's fields by number: numbers of varints, bytes of everything that has a length. */
type Fields = ReadonlyMap<number, readonly (number | Uint8Array)[]>;

function fieldsOf(message: Uint8Array, where: string): Fields {
  const fields = new Map<number, (number | Uint8Array)[]>();
  let at = 0;
  const damaged = () => new GraphError(where, 'is no ONNX model, or is truncated', 'fetch it again');
  const varint = () => {
    let value = 0;
    for (let byte = 0; byte < 10; byte++) {
      if (at >= message.length) throw damaged();
      const bits = message[at++];
      value += (bits & 127) * 2 ** (7 * byte);
      if (bits < 128) return value;
    }
    throw damaged();
  };
  const block = (length: number) => {
    if (length > message.length - at) throw damaged();
    return message.subarray(at, (at += length));
  };
  while (at < message.length) {
    const tag = varint();
    const [number, wireType] = [Math.floor(tag / 8), tag % 8];
    if (number === 0) throw damaged();
    const values = fields.get(number) ?? [];
    fields.set(number, values);
    if (wireType === 0) values.push(varint());
    else if (wireType === 1) block(8);
    else if (wireType === 2) values.push(block(varint()));
    else if (wireType === 5) block(4);
    else throw damaged();
  }
  return fields;
}

function blocks(fields: Fields, number: number): Uint8Array[] {
  return (fields.get(number) ?? []).filter((value) => typeof value !== 'number');
}

function text(fields: Fields, number: number): string {
  return new TextDecoder().decode(blocks(fields, number).at(-1));
}

function dimension(fields: Fields): { dimValue?: number } {
  const value = fields.get(1)?.at(-1);
  return typeof value === 'number' ? { dimValue: value } : {};
}

/** Packed, and little-endian. */
function floats(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => view.getFloat32(4 * i, true));
}
