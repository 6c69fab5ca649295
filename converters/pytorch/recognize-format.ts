import { isSafetensors } from '../safetensors/read-safetensors.ts';
import { type CheckpointFile, FETCH_AGAIN } from './file.ts';

interface Impostor {
  /** Beginnings that give it away, at `offset`. */
  readonly signatures: readonly string[];
  readonly offset?: number;
  readonly is: string;
  readonly remedy: string;
}

/** What a file is that is not a checkpoint, and what to do about it. */
const impostors: readonly Impostor[] = [
  {
    signatures: ['version https://git-lfs'],
    is: 'is a Git LFS pointer, not the file itself',
    remedy: 'fetch the file with git lfs pull',
  },
  {
    signatures: ['\x89HDF\r\n'],
    is: 'is an HDF5 file, not a PyTorch checkpoint',
    remedy: 'save PyTorch weights with torch.save(model.state_dict(), PATH); Keras weights are not read',
  },
  {
    signatures: ['\x1f\x8b', 'BZh', '\xfd7zXZ', '\x28\xb5\x2f\xfd', '7z\xbc\xaf'],
    is: 'is compressed',
    remedy: 'unpack it',
  },
  {
    signatures: ['ustar'],
    offset: 257,
    is: 'is a tar archive: PyTorch before 0.2 saved such, and so do packers',
    remedy: 'unpack it, or load it with an old torch.load and save it again',
  },
];

/**
 * Which checkpoint format a file is in, by its content and not its name.
 *
 * @throws CheckpointError where it is something else, saying what
 */
export async function recognizeFormat(file: CheckpointFile): Promise<'zip' | 'legacy' | 'safetensors'> {
  if (file.size === 0) file.fail('is empty', FETCH_AGAIN);
  const bytes = await file.read(0, Math.min(file.size, 512));
  if (isSafetensors(bytes, file.size)) return 'safetensors';
  const head = latin1(bytes);
  if (head.startsWith('PK\x03\x04') || head.startsWith('PK\x05\x06')) return 'zip';
  // Every pickle since protocol 2 begins with PROTO.
  if (head.startsWith('\x80')) return 'legacy';
  for (const { signatures, offset = 0, is, remedy } of impostors)
    if (signatures.some((signature) => head.startsWith(signature, offset))) file.fail(is, remedy);
  if (/^\W*<(!doctype|html|head|\?xml)/i.test(head))
    file.fail('is a web page, not a checkpoint', 'download the file itself: the link showed a page instead');
  const endRecord = latin1(await file.read(Math.max(0, file.size - 22), Math.min(file.size, 22)));
  if (endRecord.startsWith('PK\x05\x06')) file.fail('has data before its zip archive', 'do not trust it');
  const start = Buffer.from(head.slice(0, 4), 'latin1').toString('hex');
  return file.fail(
    `is not a PyTorch checkpoint (it begins with the bytes ${start})`,
    'check what was downloaded',
  );
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
