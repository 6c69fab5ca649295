import { DataError } from '../../src/common/errors.ts';
import type { ByteSource } from '../files/byte-source.ts';
import { imagesIn, type RawImages } from '../raw-images.ts';
import { cifarImages, IMAGE_BYTES } from './cifar-batch.ts';

/**
 * Opens a batch of CIFAR's binary form: records of one label byte or more and an image. Images are read from the file
 * when they are asked for.
 *
 * @param labelBytes bytes before the image; the last of them is the label
 * @throws DataError where the file is cut short
 */
export async function openBinaryBatch(
  file: ByteSource,
  name: string,
  labelBytes: number,
): Promise<RawImages> {
  const stride = labelBytes + IMAGE_BYTES;
  const count = Math.floor(file.size / stride);
  if (count === 0 || count * stride !== file.size)
    throw new DataError(
      file.where,
      `is cut short: ${file.size} bytes are not a whole number of ${stride}-byte records`,
      'download it again',
    );
  const bytes = await file.read(0, file.size);
  const labels = Uint8Array.from({ length: count }, (_, i) => bytes[i * stride + labelBytes - 1]);
  return imagesIn(file, labelBytes, { ...cifarImages, name, count, stride, labels });
}

/** Class names, one a line. */
export async function readBinaryNames(file: ByteSource): Promise<string[]> {
  const bytes = await file.read(0, file.size);
  return Buffer.from(bytes).toString('utf8').split('\n').filter(Boolean);
}
