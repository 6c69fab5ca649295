import { DataError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import type { ByteSource } from '../files/byte-source.ts';
import type { ImageSet } from '../image-set.ts';
import { grayRows, imagesIn, interleaved, rawImageSet } from '../raw-images.ts';
import { checkImageArray } from './image-array.ts';

const magic = Buffer.from('\x93NUMPY', 'latin1');
const REMEDY = 'save uint8 images: numpy.save(file, numpy.ascontiguousarray(images))';

/**
 * Opens images that `numpy.save` wrote: uint8, N × H × W × 3 colours, N × H × W grey, or one of H × W × 3. They are read in place.
 * Colours that stand first, as PyTorch's, are refused: 3 × H × W is as well one image as three grey ones.
 * The format is that of NEP 1: a magic number, a version, the length of a header, a dict in Python's notation.
 *
 * @throws DataError where the array is of another kind, or the file is damaged
 */
export async function openNpy(source: ByteSource, name: string): Promise<ImageSet> {
  const { descr, fortran, shape, offset } = await readHeader(source);
  if (!/^[|<>=]?u1$/.test(descr))
    throw new DataError(source.where, `holds values of type ${printable(descr)}, not uint8`, REMEDY);
  if (isColorsFirst(shape))
    throw new DataError(
      source.where,
      `holds an array of ${shape.join(' × ')}, whose colours seem to stand first`,
      shape.length === 3
        ? 'save image.transpose(1, 2, 0) or, where they are three grey images, images[..., None]'
        : 'save images.transpose(0, 2, 3, 1)',
    );
  const images = sizesOf(shape);
  if (!images)
    throw new DataError(
      source.where,
      `holds an array of ${shape.join(' × ') || 'one value'}, not N × H × W × 3, N × H × W or H × W × 3`,
      REMEDY,
    );
  const { count, height, width, colors } = images;
  if (fortran) throw new DataError(source.where, 'is stored by columns', REMEDY);
  checkImageArray(source.where, { count, height, width });
  const stride = height * width * colors;
  if (source.size - offset !== count * stride)
    throw new DataError(
      source.where,
      `is cut short or damaged: ${shape.join(' × ')} bytes are announced, ${source.size - offset} are there`,
      'copy it again',
    );
  const layout = colors === 3 ? interleaved({ height, width }) : grayRows({ height, width });
  return rawImageSet(name, [imagesIn(source, offset, { count, height, width, stride, layout })]);
}

/**
 * What the sizes of an array's axes mean: N × H × W × 3, N × H × W × 1, N × H × W, or one image, H × W × 3 or H × W × 1, for
 * nobody has grey images that are so narrow. Undefined where it is something else, as H × W × 4, an image with an alpha channel.
 */
function sizesOf(shape: readonly number[]) {
  if (shape.length === 3 && shape[2] === 4) return undefined;
  const isOne = shape.length === 3 && (shape[2] === 3 || shape[2] === 1);
  const [count, height, width, colors = 1] = isOne ? [1, ...shape] : shape;
  const isImages = (shape.length === 3 || shape.length === 4) && (colors === 3 || colors === 1);
  return isImages ? { count, height, width, colors } : undefined;
}

/** Whether an array may be 3 × H × W or N × 3 × H × W. */
function isColorsFirst(shape: readonly number[]): boolean {
  const [colors, , width] = shape.slice(-3);
  return (shape.length === 3 || shape.length === 4) && colors === 3 && width > 4;
}

/** Whether these bytes begin a `.npy` file. */
export function beginsNpy(head: Uint8Array): boolean {
  return magic.equals(head.subarray(0, magic.length));
}

interface Header {
  readonly descr: string;
  readonly fortran: boolean;
  readonly shape: readonly number[];
  /** Where the data begin. */
  readonly offset: number;
}

async function readHeader(source: ByteSource): Promise<Header> {
  const start = Buffer.from(await source.read(0, Math.min(12, source.size)));
  const isLong = start[6] > 1;
  if (start.length < 12) throw new DataError(source.where, 'is cut short', 'copy it again');
  const length = isLong ? start.readUInt32LE(8) : start.readUInt16LE(8);
  const offset = (isLong ? 12 : 10) + length;
  // NumPy's own limit too.
  if (length > 10_000) throw new DataError(source.where, `has a header of ${length} bytes`, REMEDY);
  const header = Buffer.from(await source.read(offset - length, length)).toString('latin1');
  const descr = /'descr'\s*:\s*('[^']*'|\[)/.exec(header)?.[1].replaceAll("'", '');
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const sizes = /'shape'\s*:\s*\(([\d,\sL]*)\)/.exec(header)?.[1];
  if (descr === undefined || fortran === undefined || sizes === undefined)
    throw new DataError(source.where, 'has a header that is not NumPy’s', REMEDY);
  const shape = Array.from(sizes.matchAll(/\d+/g), ([digits]) => Number(digits));
  return { descr: descr === '[' ? 'record' : descr, fortran: fortran === 'True', shape, offset };
}
