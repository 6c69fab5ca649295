import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isSafetensors } from '../../../converters/safetensors/read-safetensors.ts';
import { DataError } from '../../common/errors.ts';
import { sha256File } from '../../common/files.ts';
import { nearestName } from '../../common/suggest.ts';

/** What a file is, by its content and not by its name. What is of no other kind is a checkpoint. */
export type FileKind = 'folder' | 'onnx' | 'hdf5' | 'json' | 'csv' | 'checkpoint';

/**
 * Looks at the first bytes of a file.
 *
 * @throws DataError where there is no such file
 *
 * @example
 * ```ts
 * import { fileKind } from 'la-ood/checkpoints';
 *
 * console.log(await fileKind('weights.pth'));
 * ```
 */
export async function fileKind(path: string): Promise<FileKind> {
  const found = await stat(path).catch(() => undefined);
  if (!found) throw await noSuchFile(path);
  if (found.isDirectory()) return 'folder';
  const bytes = await firstBytes(path, 512);
  // Asked first: its length may begin with any byte.
  if (isSafetensors(bytes, found.size)) return 'checkpoint';
  const head = bytes.toString('latin1');
  // An ONNX file is a protobuf message, and begins with its first field, the IR version (a varint).
  if (head.startsWith('\x08')) return 'onnx';
  if (head.startsWith('\x89HDF\r\n\x1a\n')) return 'hdf5';
  if (/^\s*[{[]/.test(head)) return 'json';
  if (/^[\x20-\x7e\x80-\xff]*,[\x20-\x7e\x80-\xff]*\r?\n/.test(head) && !head.startsWith('<')) return 'csv';
  return 'checkpoint';
}

/** Which file was looked at. */
export interface FileFacts {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

export async function factsOf(path: string): Promise<FileFacts> {
  return { path, bytes: (await stat(path)).size, sha256: await sha256File(path) };
}

async function firstBytes(path: string, count: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(count));
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

async function noSuchFile(path: string): Promise<DataError> {
  const beside = await readdir(dirname(path)).catch(() => []);
  const nearest = nearestName(basename(path), beside);
  return new DataError(
    path,
    'there is no such file',
    nearest && `did you mean ${join(dirname(path), nearest)}?`,
  );
}
