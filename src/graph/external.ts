import { closeSync, constants, existsSync, lstatSync, openSync, readSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, sep, win32 } from 'node:path';
import { GraphError } from '../common/errors.ts';
import type { FileRange, TensorProto } from './onnx.ts';

/**
 * Where the external data of a tensor lies, after the checks that a file from a stranger needs: the data file is a
 * plain file, has the bytes, and lies within the model's folder, or, where links lead to it, there or within the folder
 * that a link of the model's own name leads to (the cache of Hugging Face, whose files are links).
 * Format: ONNX, "External Data" (keys location, offset, length).
 *
 * @param modelPath the model's own file
 * @throws GraphError where the location leaves the folder, the file is missing, or the range is not in it
 */
export function resolveExternalData(tensor: TensorProto, modelPath: string): FileRange {
  const place = `${modelPath}: tensor ${JSON.stringify(tensor.name ?? '')}`;
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location');
  if (!location) throw new GraphError(place, 'external data without a location');
  const { path, size } = plainFileNear(modelPath, location, place);

  const offset = byteCount(entries.get('offset') ?? '0', 'offset', place);
  const length = byteCount(entries.get('length') ?? String(size - offset), 'length', place);
  if (offset + length > size)
    throw new GraphError(
      place,
      `bytes ${offset} to ${offset + length} of ${location}, which has ${size}`,
      'copy the data file again',
    );
  return { path, offset, length };
}

/** Reads the bytes that `resolveExternalData` found. */
export function readFileRange({ path, offset, length }: FileRange): Uint8Array {
  const bytes = new Uint8Array(length);
  const file = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    // One read gives at most 2 GB.
    for (let done = 0; done < length; ) {
      const count = readSync(file, bytes, done, Math.min(length - done, 2 ** 30), offset + done);
      if (count === 0)
        throw new GraphError(path, `ended at byte ${offset + done}: it has changed since the model was read`);
      done += count;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

function plainFileNear(modelPath: string, location: string, place: string): { path: string; size: number } {
  const refuse = (problem: string, remedy: string) =>
    new GraphError(place, `external data ${JSON.stringify(location)} ${problem}`, remedy);
  const inFolder = 'put the data file beside the model, as a file of its own';
  if (isAbsolute(location) || win32.isAbsolute(location)) throw refuse('is an absolute path', inFolder);

  const home = realpathSync(dirname(modelPath));
  const path = join(home, location);
  if (!path.startsWith(home + sep)) throw refuse("leaves the model's folder", inFolder);
  if (!existsSync(path)) throw refuse('is missing', 'copy the data file along with the model');
  const real = realpathSync(path);
  const allowed = [home, dirname(realpathSync(modelPath))];
  if (real !== path && !allowed.some((folder) => real.startsWith(folder + sep)))
    throw refuse('goes through a symbolic link', inFolder);
  const stat = lstatSync(real);
  if (!stat.isFile()) throw refuse('is not a file', inFolder);
  // A second name for a file elsewhere, which the path alone does not show.
  if (stat.nlink > 1) throw refuse('is a hard link', inFolder);
  return { path: real, size: stat.size };
}

function byteCount(text: string, key: string, place: string): number {
  const count = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(count) || count < 0)
    throw new GraphError(place, `external data with ${key} ${JSON.stringify(text)}`);
  return count;
}
