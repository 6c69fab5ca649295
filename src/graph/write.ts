import { closeSync, openSync, realpathSync, writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { GraphError } from '../common/errors.ts';
import { writeTogether } from '../common/files.ts';
import { readFileRange } from './external.ts';
import { DataLocation, type ModelProto, type TensorProto } from './onnx.ts';
import { LARGEST_MESSAGE, mapMessages, messageType } from './schema.ts';
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
 */
export function encodeModel(model: ModelProto): Uint8Array {
  const bytes = weightBytes(model);
  if (bytes > LARGEST_INLINE)
    throw new GraphError(
      `graph ${model.graph.name}`,
      `${bytes} bytes of weights do not fit into one message`,
      'write it to a file',
    );
  return encode(mapTensors(model, inlined));
}

/**
 * Writes a model so that it can be read wherever it lies: its weights go into the file itself, or, where there are too
 * many of them, beside it into `<file name>.data`. Data files that the model came with are left as they are.
 *
 * @throws GraphError where this would write over a data file that the model's weights are read from; what `check` throws
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
    await writeFile(join(part, name), encode(mapTensors(complete, inlined)));
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

/** Writes the larger initializers to a data file, and gives the model that finds them there. */
function moveWeights(model: ModelProto, dataPath: string, location: string): ModelProto {
  const file = openSync(dataPath, 'w');
  let end = 0;
  const move = (tensor: TensorProto): TensorProto => {
    if (tensorBytes(tensor) < SMALLEST_EXTERNAL) return tensor;
    const bytes = tensor.fileRange ? readFileRange(tensor.fileRange) : tensor.rawData!;
    const offset = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
    for (let done = 0; done < bytes.length; )
      done += writeSync(file, bytes, done, Math.min(bytes.length - done, 2 ** 30), offset + done);
    end = offset + bytes.length;
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

function encode(model: ModelProto): Uint8Array {
  const bytes = messageType('ModelProto').encode(model, new OnnxWriter()).finish();
  if (bytes.length > LARGEST_MESSAGE)
    throw new GraphError(`graph ${model.graph.name}`, `its message of ${bytes.length} bytes is over 2 GB`);
  return bytes;
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
