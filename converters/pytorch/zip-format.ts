import { advice, command } from '../../src/common/errors.ts';
import { unpickle } from '../../src/common/pickle/machine.ts';
import { printable } from '../../src/common/printable.ts';
import type { CheckpointContents } from './contents.ts';
import type { CheckpointFile } from './file.ts';
import { type StorageReference, torchDialect } from './torch-pickle.ts';
import { ZipArchive } from './zip-archive.ts';

/**
 * The format of `torch.save` since PyTorch 1.6: a zip archive of one folder that holds `data.pkl`, one record
 * `data/<key>` a storage, and since 2.1 `byteorder`.
 */
export async function readZipFormat(file: CheckpointFile): Promise<CheckpointContents> {
  const archive = await ZipArchive.open(file);
  const folder = findFolder(file, archive);
  await checkByteOrder(file, archive, `${folder}/byteorder`);
  const pickle = await archive.read(`${folder}/data.pkl`);
  const { value, end } = unpickle(pickle, torchDialect(), `${file.path}: ${printable(folder)}/data.pkl`);
  if (end !== pickle.length)
    file.fail(`has ${pickle.length - end} bytes hidden behind the pickle in data.pkl`);
  return { format: 'zip', root: value, readStorage: (storage) => readRecord(file, archive, folder, storage) };
}

function findFolder(file: CheckpointFile, archive: ZipArchive): string {
  const folders = [...archive.names].flatMap((name) => /^([^/]+)\/data\.pkl$/.exec(name)?.[1] ?? []);
  if (
    [...archive.names].some((name) =>
      /(^|\/)(serialized_exported_program\.json|models\/\w+\.json)$/.test(name),
    )
  )
    file.fail(
      'is a .pt2 archive of torch.export: a program with its weights',
      advice`export it with torch.onnx.export(torch.export.load(FILE), …), and go on with ${command('fit', 'model.onnx')}`,
    );
  if (folders.length === 0)
    file.fail(
      'is a zip archive without data.pkl, so not a PyTorch checkpoint',
      'if a checkpoint is packed inside it, unpack it',
    );
  if (folders.length > 1)
    file.fail('is a zip archive with several data.pkl', 'save each checkpoint by itself');
  const [folder] = folders;
  if (archive.size(`${folder}/constants.pkl`) !== undefined)
    file.fail(
      'is a TorchScript archive: code and weights together, and code is not executed',
      advice`export it with torch.onnx.export(torch.jit.load(FILE), …), and go on with ${command('fit', 'model.onnx')}; or save its weights with torch.save(torch.jit.load(FILE).state_dict(), PATH)`,
    );
  return folder;
}

async function checkByteOrder(file: CheckpointFile, archive: ZipArchive, name: string): Promise<void> {
  if (archive.size(name) === undefined) return;
  if (archive.size(name)! > 16) file.fail('has a damaged byteorder record');
  const order = Buffer.from(await archive.read(name)).toString('latin1');
  if (order === 'big')
    file.fail(
      'was saved on a big-endian machine, whose byte order is not read',
      'load it with torch.load on a common (little-endian) machine and save it again',
    );
  if (order !== 'little') file.fail('has a damaged byteorder record');
}

async function readRecord(
  file: CheckpointFile,
  archive: ZipArchive,
  folder: string,
  storage: StorageReference,
): Promise<Uint8Array<ArrayBuffer>> {
  const name = `${folder}/data/${storage.key}`;
  const size = archive.size(name);
  if (size !== undefined && size !== storage.byteLength)
    file.fail(
      `record data/${printable(storage.key)} has ${size} bytes and its ${storage.elements} elements of ${storage.contents.dtype} need ${storage.byteLength}`,
    );
  return archive.read(name);
}
