import { DataError } from '../../src/common/errors.ts';
import type { ByteSource } from '../files/byte-source.ts';
import type { ImageSet } from '../image-set.ts';
import { imagesIn, rawImageSet } from '../raw-images.ts';
import { checkImageArray } from './image-array.ts';
import { type MatlabArray, readMatlab } from './matlab.ts';

/**
 * Opens SVHN's cropped digits (http://ufldl.stanford.edu/housenumbers): a MAT-file with the images `X`, uint8,
 * H × W × 3 × N, and their labels `y`, 1 … 10, where 10 stands for the digit 0.
 *
 * @throws DataError where the file is damaged, or holds something else
 */
export async function openSvhn(source: ByteSource, name: string): Promise<ImageSet> {
  const arrays = await readMatlab(source, new Set(['X', 'y']));
  const images = arrays.get('X');
  const [height, width, colors, count = 1] = images?.shape ?? [];
  if (images?.type !== 'uint8' || images.stored !== 'uint8' || colors !== 3 || images.shape.length > 4)
    throw new DataError(
      source.where,
      images ? `its X is ${images.type} of ${images.shape.join(' × ')}` : 'has no array X',
      'expected SVHN’s cropped digits: X, uint8, 32 × 32 × 3 × N',
    );
  checkImageArray(source.where, { count, height, width });
  const stride = 3 * height * width;
  if (images.values.size !== count * stride)
    throw new DataError(
      source.where,
      `is damaged: X has ${images.values.size} bytes for ${images.shape.join(' × ')}`,
      'download it again',
    );
  const y = arrays.get('y');
  const labels = y && (await readLabels(source, y, count));
  // MATLAB keeps arrays by columns: down an image first, then across it, then through its colours.
  const layout = { row: 1, column: height, color: height * width };
  return rawImageSet(
    name,
    [imagesIn(images.values, 0, { count, height, width, stride, layout, labels })],
    labels && [...'0123456789'],
  );
}

async function readLabels(
  source: ByteSource,
  { stored, values }: MatlabArray,
  count: number,
): Promise<Uint8Array> {
  // Few are kept as what MATLAB says they are: whole numbers below 256 become bytes in its files.
  const size = stored === 'double' ? 8 : 1;
  if (!['uint8', 'double'].includes(stored) || values.size !== size * count)
    throw new DataError(
      source.where,
      `its y is ${values.size} bytes of ${stored} for ${count} images`,
      'download it again',
    );
  const bytes = Buffer.from(await values.read(0, values.size));
  return Uint8Array.from({ length: count }, (_, i) => {
    const label = size === 1 ? bytes[i] : bytes.readDoubleLE(8 * i);
    if (Number.isInteger(label) && label >= 0 && label <= 10) return label % 10;
    throw new DataError(source.where, `label ${i} is ${label}, not 1 … 10`, 'download it again');
  });
}
