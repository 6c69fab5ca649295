import { closeSync, openSync, readSync, realpathSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { GraphError } from '../common/errors.ts';
import { writeTogether } from '../common/files.ts';
import { readFileRange } from './external.ts';
import { DataLocation, type ModelProto, type TensorProto } from './onnx.ts';
import { LARGEST_MESSAGE, type MessageName, mapMessages, messageType } from './schema.ts';
import { OnnxWriter } from './wire.ts';

/** Weights up to this many bytes go into the model's own file: with the rest of it, it stays below 2 GB. */
const LARGEST_INLINE = 1.5e9;

/** Smaller tensors always stay in the message: runtimes want shapes and axes at hand when they load the graph. */
const SMALLEST_EXTERNAL = 1024;

/** Offsets in a data file are multiples of this, so that it can be mapped into memory (ONNX, "External Data"). */
const ALIGNMENT = 4096;

/**
 * Encodes a model as one message that needs no other file: the external data that `readModel` found are put into it.
 *
 * @throws GraphError where that would be more than a protobuf message holds
 *
 * @example
 * ```ts
 * import { encodeModel, readModel } from 'la-ood/onnx';
 *
 * const bytes = encodeModel(await readModel('model.onnx')); // for onnxruntime's InferenceSession.create(bytes)
 * ```
 */
export function encodeModel(model: ModelProto): Uint8Array {
  const bytes = weightBytes(model);
  if (bytes > LARGEST_INLINE)
    throw new GraphError(
      `graph ${model.graph.name}`,
      `${bytes} bytes of weights do not fit into one message`,
      'write it to a file',
    );
  return Buffer.concat([...pieces(model)]);
}

/**
 * Writes a model so that it can be read wherever it lies: its weights go into the file itself, or, where there are too
 * many of them, beside it into `<file name>.data`. Data files that the model came with are left as they are.
 *
 * @throws GraphError where this would write over a data file that the model's weights are read from; what `check` throws
 *
 * @example
 * ```ts
 * import { exposeTaps, readModel, writeModel } from 'la-ood/onnx';
 *
 * const model = await readModel('backbone.onnx');
 * await writeModel('features.onnx', exposeTaps(model, ['layer1.0.conv1'], 'backbone.onnx'));
 * ```
 */
export async function writeModel(
  path: string,
  model: ModelProto,
  { inlineLimit = LARGEST_INLINE, check }: WriteOptions = {},
): Promise<void> {
  const [name, location] = [basename(path), `${basename(path)}.data`];
  await writeTogether(dirname(path), async (part) => {
    const folder = realpathSync(dirname(path));
    refuseOwnData(model, [join(folder, name), join(folder, location)]);
    const hasData = weightBytes(model) > inlineLimit;
    const complete = hasData ? moveWeights(model, join(part, location), location) : model;
    writePieces(join(part, name), complete);
    await check?.(join(part, name));
    // The model last: it is what says that the data are there.
    return hasData ? [location, name] : [name];
  });
}

export interface WriteOptions {
  /** Bytes of weights that are too many for the model's own file. */
  readonly inlineLimit?: number;
  /**
   * Gets the path of the whole model under a name for the time being, and throws where it is not what it should be: then
   * nothing is written, and what was there stays.
   */
  readonly check?: (path: string) => Promise<void>;
}

function writePieces(path: string, model: ModelProto): void {
  const file = openSync(path, 'w');
  try {
    let position = 0;
    for (const piece of pieces(model)) position = writeAt(file, piece, position);
  } finally {
    closeSync(file);
  }
}

/**
 * Compares a file with what `writeModel` wrote into it, byte by byte and without holding it in memory.
 *
 * @param where what errors call the file
 * @throws GraphError where they differ
 */
export function compareWritten(path: string, model: ModelProto, where: string): void {
  const file = openSync(path, 'r');
  const buffer = Buffer.alloc(1 << 20);
  try {
    let position = 0;
    for (const piece of pieces(model))
      for (let done = 0; done < piece.length; ) {
        const count = readSync(file, buffer, 0, Math.min(buffer.length, piece.length - done), position);
        if (count === 0 || buffer.compare(piece, done, done + count, 0, count) !== 0)
          throw new GraphError(
            where,
            `does not hold what was written to it, near byte ${position}`,
            'the disk may be faulty',
          );
        done += count;
        position += count;
      }
  } finally {
    closeSync(file);
  }
}

function writeAt(file: number, bytes: Uint8Array, position: number): number {
  for (let done = 0; done < bytes.length; )
    done += writeSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 30), position + done);
  return position + bytes.length;
}

/** Writes the larger initializers to a data file, and gives the model that finds them there. */
function moveWeights(model: ModelProto, dataPath: string, location: string): ModelProto {
  const file = openSync(dataPath, 'w');
  let end = 0;
  const move = (tensor: TensorProto): TensorProto => {
    if (tensorBytes(tensor) < SMALLEST_EXTERNAL) return tensor;
    const bytes = tensor.fileRange ? readFileRange(tensor.fileRange) : tensor.rawData!;
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    end = writeAt(file, bytes, offset);
    const { rawData: _moved, fileRange: _read, ...rest } = tensor;
    const externalData = Object.entries({ location, offset, length: bytes.length }).map(([key, value]) => ({
      key,
      value: String(value),
    }));
    return { ...rest, externalData, dataLocation: DataLocation.external };
  };
  try {
    return { ...model, graph: { ...model.graph, initializer: model.graph.initializer.map(move) } };
  } finally {
    closeSync(file);
  }
}

/**
 * The message of a model, piece by piece: its weights as they are in memory or as they come from their files, one after
 * the other, so that no copy of all of them is made. (Protocol Buffers, "Encoding": a message is a tag, its length, and
 * its fields in any order.)
 *
 * @throws GraphError where it would be over 2 GB
 */
function* pieces(model: ModelProto): Generator<Uint8Array> {
  const { initializer } = model.graph;
  const { graph, ...rest } = mapTensors({ ...model, graph: { ...model.graph, initializer: [] } }, inlined);
  const outer = encode('ModelProto', rest);
  const inner = encode('GraphProto', graph);
  const heads = initializer.map(initializerHead);
  const weights = initializer.reduce((sum, tensor, i) => sum + heads[i].length + tensorBytes(tensor), 0);
  const length = inner.length + weights;
  const total = outer.length + length;
  if (total > LARGEST_MESSAGE)
    throw new GraphError(`graph ${graph.name}`, `its message of ${total} bytes is over 2 GB`);
  yield outer;
  yield lengthDelimited('ModelProto', 'graph', length);
  yield inner;
  for (const [i, tensor] of initializer.entries()) {
    yield heads[i];
    if (tensor.fileRange) yield readFileRange(tensor.fileRange);
    else if (tensor.rawData) yield tensor.rawData;
  }
}

/** What comes before the raw bytes of an initializer: its other fields, and the tags and lengths of both. */
function initializerHead(tensor: TensorProto): Uint8Array {
  const { rawData, fileRange, ...rest } = tensor;
  const isRaw = rawData !== undefined || fileRange !== undefined;
  const fields = encode(
    'TensorProto',
    fileRange ? { ...rest, dataLocation: undefined, externalData: [] } : rest,
  );
  const raw = isRaw ? lengthDelimited('TensorProto', 'rawData', tensorBytes(tensor)) : new Uint8Array();
  const length = fields.length + raw.length + tensorBytes(tensor);
  return Buffer.concat([lengthDelimited('GraphProto', 'initializer', length), fields, raw]);
}

/** The tag and the length of a field that holds bytes or a message. */
function lengthDelimited(message: MessageName, field: string, length: number): Uint8Array {
  const { id } = messageType(message).fields[field];
  return new OnnxWriter()
    .uint32((id << 3) | 2)
    .uint32(length)
    .finish();
}

function encode(message: MessageName, value: object): Uint8Array {
  return messageType(message).encode(value, new OnnxWriter()).finish();
}

/** Reading one file while another takes its name would leave the model in memory pointing at the wrong bytes. */
function refuseOwnData(model: ModelProto, targets: string[]): void {
  mapTensors(model, (tensor) => {
    if (tensor.fileRange && targets.includes(tensor.fileRange.path))
      throw new GraphError(
        tensor.fileRange.path,
        `holds the data of tensor ${JSON.stringify(tensor.name)} and would be written over`,
        'give the model another name',
      );
    return tensor;
  });
}

function inlined(tensor: TensorProto): TensorProto {
  if (!tensor.fileRange) return tensor;
  const { fileRange, dataLocation: _external, ...rest } = tensor;
  return { ...rest, externalData: [], rawData: readFileRange(fileRange) };
}

function weightBytes(model: ModelProto): number {
  let total = 0;
  mapTensors(model, (tensor) => {
    total += tensorBytes(tensor);
    return tensor;
  });
  return total;
}

function tensorBytes({ fileRange, rawData }: TensorProto): number {
  return fileRange?.length ?? rawData?.length ?? 0;
}

function mapTensors(model: ModelProto, change: (tensor: TensorProto) => TensorProto): ModelProto {
  return mapMessages(model, 'ModelProto', (message, name) =>
    name === 'TensorProto' ? change(message as TensorProto) : message,
  );
}
