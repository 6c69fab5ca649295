import { mkdtempSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { expect } from 'chai';
import { ZipFile } from 'yazl';
import { readCheckpoint } from '../../../converters/pytorch/read-checkpoint.ts';
import { CheckpointError } from '../../../src/common/errors.ts';
import { PickleAssembler } from '../../../src/common/pickle/assembler.ts';

const folder = mkdtempSync(join(process.env.LA_OOD_TEST_FOLDER!, 'checkpoints-'));

/** A path in a folder of this test run's own. */
export function temporaryPath(name: string): string {
  return join(folder, name);
}

export async function temporaryFile(bytes: Uint8Array | string, name = 'weights.pth'): Promise<string> {
  const path = temporaryPath(name);
  await writeFile(path, bytes);
  return path;
}

/** Reads a file of these bytes and expects a `CheckpointError` of one line that names it and matches. */
export async function expectRefused(bytes: Uint8Array | string, ...messages: RegExp[]): Promise<void> {
  const path = await temporaryFile(bytes);
  try {
    await readCheckpoint(path);
  } catch (error) {
    expect(error).to.be.instanceOf(CheckpointError);
    const { message } = error as CheckpointError;
    expect(message.startsWith(path), message).to.equal(true);
    expect(message).not.to.include('\n');
    for (const expected of messages) expect(message).to.match(expected);
    return;
  }
  throw new Error('was read without an error');
}

/** An archive made by yazl, independent of the writer under test. */
export async function zip(
  records: readonly (readonly [name: string, content: Uint8Array | string])[],
  compress = false,
): Promise<Buffer> {
  const archive = new ZipFile();
  for (const [name, content] of records)
    archive.addBuffer(Buffer.from(content), name, { compress, mtime: new Date(2020, 0, 1) });
  archive.end();
  return buffer(archive.outputStream);
}

/** A tensor as a pickle describes it, sound unless a test says otherwise. */
export interface TensorRecipe {
  readonly storage?: string;
  readonly key?: string;
  readonly elements?: number | bigint;
  readonly offset?: number | bigint;
  readonly shape?: readonly (number | bigint)[];
  readonly strides?: readonly (number | bigint)[];
  readonly legacy?: boolean;
}

/** Two float32 elements, 1 and -2, the content of every tensor here by default. */
export const twoFloats = Buffer.from(Float32Array.of(1, -2).buffer);

/** Appends a tensor to a pickle: version 2, or version 1 as PyTorch 0.3 and before wrote it. */
export function tensor(pickle: PickleAssembler, recipe: TensorRecipe = {}): PickleAssembler {
  const {
    storage = 'FloatStorage',
    key = '0',
    elements = 2,
    offset = 0,
    shape = [2],
    strides = [1],
    legacy,
  } = recipe;
  pickle.global('torch._utils', legacy ? '_rebuild_tensor' : '_rebuild_tensor_v2').emit('MARK');
  pickle.emit('MARK').string('storage').global('torch', storage).string(key).string('cpu').int(elements);
  if (legacy) pickle.emit('NONE');
  pickle.emit('TUPLE', 'BINPERSID').int(offset).ints(shape).ints(strides);
  if (!legacy) pickle.emit('NEWFALSE').global('collections', 'OrderedDict').emit('EMPTY_TUPLE', 'REDUCE');
  return pickle.emit('TUPLE', 'REDUCE');
}

/** A pickled dict of tensors. */
export function stateDictPickle(tensors: Readonly<Record<string, TensorRecipe>>): Uint8Array {
  const pickle = new PickleAssembler().protocol(2).emit('EMPTY_DICT', 'MARK');
  for (const [key, recipe] of Object.entries(tensors)) tensor(pickle.string(key), recipe);
  return pickle.emit('SETITEMS', 'STOP').bytes();
}

/** A checkpoint around a pickle, in the zip format, with storage 0. */
export function checkpointOf(
  pickle: Uint8Array,
  data: Uint8Array = twoFloats,
  compress = false,
): Promise<Buffer> {
  return zip(
    [
      ['archive/data.pkl', pickle],
      ['archive/byteorder', 'little'],
      ['archive/data/0', data],
      ['archive/version', '3\n'],
    ],
    compress,
  );
}

/** A checkpoint of one sound tensor `weight`. */
export function soundCheckpoint(compress = false): Promise<Buffer> {
  return checkpointOf(stateDictPickle({ weight: {} }), twoFloats, compress);
}

/** A checkpoint in the format before PyTorch 1.6. */
export function legacyCheckpoint(
  pickle: Uint8Array,
  storages: readonly (readonly [key: string, elements: number, bytes: Uint8Array])[] = [['0', 2, twoFloats]],
  littleEndian = true,
): Buffer {
  const small = () => new PickleAssembler().protocol(2);
  const system = small()
    .emit('EMPTY_DICT')
    .string('little_endian')
    .emit(littleEndian ? 'NEWTRUE' : 'NEWFALSE');
  const keys = small().emit('EMPTY_LIST', 'MARK');
  for (const [key] of storages) keys.string(key);
  return Buffer.concat([
    small().int(0x1950a86a20f9469cfc6cn).emit('STOP').bytes(),
    small().int(1001).emit('STOP').bytes(),
    system.emit('SETITEM', 'STOP').bytes(),
    pickle,
    keys.emit('APPENDS', 'STOP').bytes(),
    ...storages.flatMap(([, elements, bytes]) => [
      Buffer.from(BigInt64Array.of(BigInt(elements)).buffer),
      bytes,
    ]),
  ]);
}
