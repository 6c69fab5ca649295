import { unpickle } from '../../src/common/pickle/machine.ts';
import type { PickleValue } from '../../src/common/pickle/values.ts';
import { printable } from '../../src/common/printable.ts';
import type { CheckpointContents } from './contents.ts';
import { type CheckpointFile, FETCH_AGAIN } from './file.ts';
import { type StorageReference, torchDialect } from './torch-pickle.ts';

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL_VERSION = 1001;

/**
 * The format of `torch.save` before PyTorch 1.6 (`_legacy_save` in torch/serialization.py): five pickles one behind the
 * other (magic number, version, system, the object, the keys of its storages), then for each key the element count
 * in 8 bytes and the elements, to the end of the file.
 */
export async function readLegacyFormat(file: CheckpointFile): Promise<CheckpointContents> {
  const bytes = await file.read(0, file.size);
  const referred = new Map<string, StorageReference>();
  const dialect = torchDialect(referred);
  let position = 0;
  const next = () => {
    const { value, end } = unpickle(bytes, dialect, file.path, position);
    position = end;
    return value;
  };
  if (next() !== MAGIC)
    file.fail('is a pickle, but not one of torch.save', 'save it with torch.save(model.state_dict(), PATH)');
  const version = next();
  if (version !== PROTOCOL_VERSION) file.fail(`has the unknown legacy version ${printable(String(version))}`);
  checkSystem(file, next());
  const root = next();
  const storages = locateStorages(file, bytes, storageKeys(file, next(), referred), position);
  return { format: 'legacy', root, readStorage: async ({ key }) => storages.get(key) ?? missing(file, key) };
}

function checkSystem(file: CheckpointFile, system: PickleValue): void {
  if (!(system instanceof Map)) file.fail('has no description of the system that saved it', FETCH_AGAIN);
  if (system.get('little_endian') === false)
    file.fail(
      'was saved on a big-endian machine, whose byte order is not read',
      'load it with torch.load on a common (little-endian) machine and save it again',
    );
}

function storageKeys(
  file: CheckpointFile,
  keys: PickleValue,
  referred: ReadonlyMap<string, StorageReference>,
): StorageReference[] {
  if (!Array.isArray(keys)) file.fail('has no list of its storages', FETCH_AGAIN);
  if (new Set(keys).size !== keys.length) file.fail('lists a storage twice');
  return keys.map(
    (key) =>
      (typeof key === 'string' && referred.get(key)) ||
      file.fail(`lists a storage that no tensor refers to (${printable(String(key))})`),
  );
}

/**
 * Views of the storages, each moved over its own 8-byte element count to where any typed array can begin, so that the
 * file is in memory once.
 */
function locateStorages(
  file: CheckpointFile,
  bytes: Uint8Array<ArrayBuffer>,
  storages: readonly StorageReference[],
  start: number,
): Map<string, Uint8Array<ArrayBuffer>> {
  const view = new DataView(bytes.buffer);
  const located = new Map<string, Uint8Array<ArrayBuffer>>();
  let position = start;
  for (const storage of storages) {
    const data = position + 8;
    const end = data + storage.byteLength;
    if (end > bytes.length)
      file.fail(
        `is cut short: storage ${printable(storage.key)} ends at byte ${end} of ${bytes.length}`,
        FETCH_AGAIN,
      );
    const elements = view.getBigInt64(position, true);
    if (elements !== BigInt(storage.elements))
      file.fail(
        `storage ${printable(storage.key)} at byte ${position} has ${elements} elements and the pickle says ${storage.elements}`,
      );
    const aligned = data - (data % 8);
    bytes.copyWithin(aligned, data, end);
    located.set(storage.key, bytes.subarray(aligned, aligned + storage.byteLength));
    position = end;
  }
  if (position !== bytes.length)
    file.fail(`has ${bytes.length - position} bytes hidden behind its last storage`, FETCH_AGAIN);
  return located;
}

function missing(file: CheckpointFile, key: string): never {
  return file.fail(`has no storage ${printable(key)}`, FETCH_AGAIN);
}
