import { DataError } from '../../src/common/errors.ts';
import type { ByteSource } from '../files/byte-source.ts';
import { ungzipped } from '../files/inflate.ts';
import type { ImageSet } from '../image-set.ts';
import { grayRows, imagesIn, interleaved, rawImageSet } from '../raw-images.ts';
import { checkImageArray } from './image-array.ts';

/**
 * Opens images of the IDX format, in which MNIST is published: N × H × W grey or N × H × W × 3 colours, gzipped or not.
 * A file is two zero bytes, 0x08 for bytes, the number of dimensions, their sizes in big-endian order, and the data.
 *
 * @param labelsSource a file of N labels
 * @throws DataError where a file is damaged, or they do not fit together
 */
export async function openIdx(
  source: ByteSource,
  name: string,
  labelsSource?: ByteSource,
): Promise<ImageSet> {
  const images = await readIdx(source);
  const [count, height, width, colors] = images.shape;
  if (images.shape.length < 3 || images.shape.length > 4 || (colors ?? 3) !== 3)
    throw new DataError(
      source.where,
      `holds an array of ${images.shape.join(' × ')}, not images`,
      'expected N × H × W or N × H × W × 3',
    );
  const stride = height * width * (colors ?? 1);
  const { size, offset } = images;
  checkImageArray(source.where, { count, height, width });
  if (count * stride !== size)
    throw new DataError(
      source.where,
      `is cut short or damaged: ${images.shape.join(' × ')} bytes are announced, ${size} are there`,
      'download it again',
    );
  const layout = colors ? interleaved({ height, width }) : grayRows({ height, width });
  const labels = labelsSource && (await readLabels(labelsSource, count));
  const classes =
    labels && Array.from({ length: 1 + labels.reduce((a, b) => Math.max(a, b)) }, (_, i) => String(i));
  return rawImageSet(
    name,
    [imagesIn(images.source, offset, { count, height, width, stride, layout, labels })],
    classes,
  );
}

/** Whether these bytes begin an IDX file of bytes. */
export function beginsIdx(head: Uint8Array): boolean {
  return head.length > 4 && head[0] === 0 && head[1] === 0 && head[2] === 0x08 && head[3] > 0 && head[3] < 5;
}

/** The name that the file of labels has beside a file of images. */
export function labelsFileName(images: string): string | undefined {
  const labels = images.replace(/images([-.]idx)\d(-ubyte(?:\.gz)?)$/, 'labels$11$2');
  return labels === images ? undefined : labels;
}

interface IdxArray {
  readonly source: ByteSource;
  readonly shape: readonly number[];
  /** Where the data begin, and how many bytes there are. */
  readonly offset: number;
  readonly size: number;
}

async function readIdx(file: ByteSource): Promise<IdxArray> {
  const source = await ungzipped(file);
  const head = Buffer.from(await source.read(0, Math.min(20, source.size)));
  if (!beginsIdx(head) || head.length < 4 + 4 * head[3])
    throw new DataError(source.where, 'is no IDX file of bytes', 'download it again');
  const shape = Array.from({ length: head[3] }, (_, i) => head.readUInt32BE(4 + 4 * i));
  const offset = 4 + 4 * shape.length;
  return { source, shape, offset, size: source.size - offset };
}

async function readLabels(file: ByteSource, images: number): Promise<Uint8Array> {
  const { source, shape, offset, size } = await readIdx(file);
  if (shape.length !== 1 || shape[0] !== images || size !== images)
    throw new DataError(
      source.where,
      `holds ${shape.join(' × ')} labels in ${size} bytes for ${images} images`,
      'download both files again',
    );
  return source.read(offset, size);
}
