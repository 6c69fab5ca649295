import { readFile, stat } from 'node:fs/promises';
import { advice, command, GraphError } from '../common/errors.ts';
import { resolveExternalData } from './external.ts';
import { DataLocation, type Dimension, type Message, type ModelProto, type TensorProto } from './onnx.ts';
import { LARGEST_MESSAGE, type MessageName, mapMessages, messageType } from './schema.ts';
import { OnnxReader } from './wire.ts';

/**
 * Reads an ONNX model. Weights share the file's memory; those in external files are checked and located now, and read
 * when `tensorFromProto`, `encodeModel` or `writeModel` need them. A size below 1, as older exporters write one that is
 * free, becomes free.
 *
 * @throws GraphError where the file is no ONNX model, is damaged, or its external data cannot be trusted
 *
 * @example
 * ```ts
 * import { readModel } from 'la-ood/onnx';
 *
 * const { graph } = await readModel('model.onnx');
 * console.log(graph.input.map(({ name }) => name));
 * ```
 */
export async function readModel(path: string): Promise<ModelProto> {
  const model = decodeModel(await readBytes(path), path);
  return mapMessages(model, 'ModelProto', (copy, name) => {
    if (name === 'Dimension') return freeIfBelowOne(copy as Dimension);
    if (name !== 'TensorProto' || (copy as TensorProto).dataLocation !== DataLocation.external) return copy;
    return { ...copy, fileRange: resolveExternalData(copy as TensorProto, path) };
  });
}

/**
 * Decodes an ONNX model. Weights share the memory of `bytes`.
 *
 * @param where the file, for errors
 * @throws GraphError where the bytes are no ONNX model
 *
 * @example
 * ```ts
 * import { readFile } from 'node:fs/promises';
 * import { decodeModel } from 'la-ood/onnx';
 *
 * const { graph } = decodeModel(await readFile('model.onnx'), 'model.onnx');
 * console.log(graph.node.length);
 * ```
 */
export function decodeModel(bytes: Uint8Array, where: string): ModelProto {
  refuseOtherFiles(bytes, where);
  const model = decode(bytes, where);
  if (!model.graph) throw new GraphError(where, 'holds no graph', 'is it an ONNX model?');
  return model;
}

function freeIfBelowOne(dimension: Dimension): Dimension {
  const { dimValue, ...free } = dimension;
  return dimValue !== undefined && dimValue < 1 ? free : dimension;
}

function decode(bytes: Uint8Array, where: string): ModelProto {
  // A Buffer's slices would be Buffers, whose own `slice` copies nothing.
  const reader = new OnnxReader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  let message: Message;
  try {
    message = messageType('ModelProto').decode(reader) as Message;
  } catch (error) {
    throw new GraphError(
      where,
      `is no ONNX model, or is truncated: near byte ${reader.pos} of ${bytes.length}, ${(error as Error).message}`,
      'fetch it again',
      error,
    );
  }
  return mapMessages(message as ModelProto, 'ModelProto', (copy, name) => {
    refuseHugeSizes(copy, name, where);
    return copy;
  });
}

/** Sizes and versions are plain numbers in `onnx.ts`; nothing real has one beyond 2^53. */
function refuseHugeSizes(message: Message, name: MessageName, where: string): void {
  for (const field of sizes[name] ?? []) {
    const values = [(message as Record<string, unknown>)[field]].flat();
    const huge = values.find((value) => typeof value === 'bigint');
    if (huge !== undefined) throw new GraphError(where, `${name}.${field} is ${huge}`);
  }
}

const sizes: Partial<Record<MessageName, string[]>> = {
  ModelProto: ['irVersion'],
  OperatorSetId: ['version'],
  TensorProto: ['dims'],
  SparseTensorProto: ['dims'],
  Dimension: ['dimValue'],
};

async function readBytes(path: string): Promise<Uint8Array> {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw new GraphError(path, 'there is no such file');
  if (!found.isFile()) throw new GraphError(path, 'is not a file');
  if (found.size > LARGEST_MESSAGE)
    throw new GraphError(
      path,
      `has ${found.size} bytes, and a protobuf message ends at ${LARGEST_MESSAGE}`,
      'store its weights as external data',
    );
  return readFile(path);
}

/** What is often found under the name of a model. */
function refuseOtherFiles(bytes: Uint8Array, where: string): void {
  if (bytes.length === 0) throw new GraphError(where, 'is empty');
  const start = Buffer.from(bytes.subarray(0, 64)).toString('latin1');
  if (start.startsWith('version https://git-lfs'))
    throw new GraphError(where, 'is a Git LFS pointer and not the model', 'run git lfs pull');
  if (/^\s*<(!doctype|html|\?xml)/i.test(start))
    throw new GraphError(where, 'is a web page and not a model', 'fetch the file itself');
  if (start.startsWith('PK\x03\x04') || start.startsWith('\x80\x02'))
    throw new GraphError(
      where,
      'is a PyTorch checkpoint, or another archive',
      advice`make it a model with ${command('import')}`,
    );
  if (start.startsWith('\x89HDF')) throw new GraphError(where, 'is an HDF5 file and not an ONNX model');
}
