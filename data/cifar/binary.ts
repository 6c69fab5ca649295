import { open, readFile } from 'node:fs/promises';
import { DataError } from '../../src/common/errors.ts';
import { type CifarBatch, imageBytes } from './batch.ts';

/**
 * Opens a batch of CIFAR's binary form: records of one label byte or more and an image. Images are read from the file
 * when they are asked for.
 *
 * @param labelBytes bytes before the image; the last of them is the label
 * @throws DataError where the file is cut short
 */
export async function openBinaryBatch(file: string, labelBytes: number): Promise<CifarBatch> {
  const bytes = await readFile(file);
  const stride = labelBytes + imageBytes;
  const count = Math.floor(bytes.length / stride);
  if (count === 0 || count * stride !== bytes.length)
    throw new DataError(
      file,
      `is cut short: ${bytes.length} bytes are not a whole number of ${stride}-byte records`,
      'download it again',
    );
  return {
    file,
    labels: Uint8Array.from({ length: count }, (_, i) => bytes[i * stride + labelBytes - 1]),
    planes: async (start, some) => ({
      bytes: await readAt(file, start * stride + labelBytes, some * stride - labelBytes),
      stride,
    }),
  };
}

/** Class names, one a line; undefined where the file is missing. */
export async function readBinaryNames(file: string): Promise<string[] | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text?.split('\n').filter(Boolean);
}

async function readAt(file: string, position: number, length: number): Promise<Uint8Array> {
  const handle = await open(file);
  try {
    const bytes = new Uint8Array(length);
    const { bytesRead } = await handle.read(bytes, 0, length, position);
    if (bytesRead === length) return bytes;
    throw new DataError(
      file,
      `ends at byte ${position + bytesRead}, it was longer before`,
      'download it again',
    );
  } finally {
    await handle.close();
  }
}
