import { DataError } from '../../src/common/errors.ts';
import { calling } from '../../src/common/hdf5.ts';
import { type DatasetFacts, Hdf5File } from '../../src/common/hdf5-file.ts';
import type { ByteSource } from '../files/byte-source.ts';
import { sha256Of } from '../files/byte-source.ts';
import type { ImageSet } from '../image-set.ts';
import { grayRows, interleaved, type RawImages, rawImageSet } from '../raw-images.ts';
import { checkImageArray } from './image-array.ts';

/** Values are read in blocks of about this many bytes, which bounds what WebAssembly's memory grows to. */
const blockBytes = 1 << 24;
/** HDF5 unpacks a whole chunk at a time. */
const maxChunkBytes = 1 << 28;
/** Bytes of all class names: those of ImageNet's 21,841 classes fit many times. */
const maxNamesBytes = 1 << 26;
const REMEDY = 'write uint8 images, N × H × W × 3, as the dataset `data`';

/** What the values of a file are. */
interface Images {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** Samples of one image. */
  readonly stride: number;
  readonly isGray: boolean;
  /** Bytes of a value. */
  readonly bytes: number;
  readonly isFloat: boolean;
}

/** What a file says of the classes of its images. */
interface Labels {
  /** The class of each image, below zero where it has none. */
  readonly labels?: Int32Array;
  readonly classes?: readonly string[];
}

/**
 * Opens a dataset file of the original: the HDF5 dataset `data`, N × H × W × 3 (or N × H × W), uint8, or floats that
 * are whole numbers 0 … 255 or, where none is greater than 1, multiples of 1/255. Files of la-ood have the datasets
 * `labels`, N whole numbers, and `classes`, their names, too.
 *
 * @throws DataError where the file is damaged or holds other values
 */
export async function openHdf5Images(source: ByteSource, name: string): Promise<ImageSet> {
  const { path } = source;
  if (path === undefined)
    throw new DataError(source.where, 'holds an HDF5 file, which is only read from disk', 'unpack it');
  const { images, labels, classes } = withFile(path, (file) => {
    const images = describe(path, dataOf(path, file));
    return { images, ...readLabels(path, file, images.count) };
  });
  const { count, height, width, stride, isGray, isFloat } = images;
  const block = Math.max(1, Math.floor(blockBytes / (stride * images.bytes)));
  const scale = isFloat ? findScale(path, images.count, block) : 1;
  const array: RawImages = {
    count,
    height,
    width,
    stride,
    layout: isGray ? grayRows({ height, width }) : interleaved({ height, width }),
    async read(start, some) {
      const samples = new Uint8Array(some * stride);
      for (let done = 0; done < some; done += block) {
        const values = valuesOf(path, start + done, Math.min(block, some - done));
        if (values instanceof Uint8Array) samples.set(values, done * stride);
        else toBytes(path, values, scale, stride, start + done, samples.subarray(done * stride));
      }
      return samples;
    },
    fingerprint: () => sha256Of(source),
    imageName: String,
    labels,
  };
  return rawImageSet(name, [array], classes);
}

/** Whether these bytes begin an HDF5 file (File Format Specification, II.A). */
export function beginsHdf5(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, 8)).toString('latin1') === '\x89HDF\r\n\x1a\n';
}

/** Whether an HDF5 file holds images; else it may be one of features. */
export async function holdsImages(path: string): Promise<boolean> {
  return withFile(path, (file) => file.names.includes('data'));
}

/** Opened for each use, as a set of images has no end at which to close it. */
function withFile<T>(path: string, use: (file: Hdf5File) => T): T {
  return calling(DataError, path, 'is a damaged HDF5 file', 'make or download it again', () => {
    const file = new Hdf5File(path);
    try {
      return use(file);
    } finally {
      file.close();
    }
  });
}

function dataOf(path: string, file: Hdf5File): DatasetFacts {
  const data = file.dataset('data');
  if (data) return data;
  const found = file.names.slice(0, 3).join(', ');
  throw new DataError(path, `has no HDF5 dataset data${found && `, but ${found}`}`, REMEDY);
}

function readLabels(path: string, file: Hdf5File, count: number): Labels {
  const dataset = file.dataset('labels');
  if (!dataset) return {};
  const { shape, dtype } = dataset;
  if (!/^[<>|]?[bBhHiIqQlL]$/.test(String(dtype)) || shape?.length !== 1 || shape[0] !== count)
    throw new DataError(
      path,
      `its labels are ${shape?.join(' × ')} values of type ${JSON.stringify(dtype)} for ${count} images`,
      'write a whole number for each image, or leave them out',
    );
  const labels = Int32Array.from(file.values('labels') as Int32Array | BigInt64Array, Number);
  const classes = readClasses(path, file);
  const end = classes?.length ?? Number.POSITIVE_INFINITY;
  const wrong = labels.findIndex((label) => label < -1 || label >= end);
  if (wrong < 0) return { labels, classes };
  const allowed = classes ? `one of its ${classes.length} classes` : 'a whole number from 0';
  throw new DataError(path, `label ${wrong} is ${labels[wrong]}, not ${allowed}`, 'make it again');
}

function readClasses(path: string, file: Hdf5File): string[] | undefined {
  const dataset = file.dataset('classes');
  if (!dataset) return undefined;
  const { shape, dtype, valueBytes } = dataset;
  const isText = /^S/.test(String(dtype)) && shape?.length === 1;
  if (!isText || shape[0] * valueBytes > maxNamesBytes)
    throw new DataError(
      path,
      'its classes are no list of names',
      'write a text for each class, or leave them out',
    );
  return file.values('classes') as string[];
}

function describe(path: string, { shape, dtype, chunks, valueBytes }: DatasetFacts): Images {
  const type = String(dtype);
  if (!/^([<>|]?B|[<>][fd])$/.test(type))
    throw new DataError(
      path,
      `data has values of type ${JSON.stringify(dtype)}, not uint8 or floats`,
      REMEDY,
    );
  const [count, height, width, colors] = shape ?? [];
  if (!shape || shape.length < 3 || shape.length > 4 || (colors ?? 3) !== 3)
    throw new DataError(path, `data has the shape ${shape?.join(' × ') || 'of one value'}`, REMEDY);
  checkImageArray(path, { count, height, width });
  const chunk = (chunks ?? []).reduce((product, size) => product * size, valueBytes);
  if (chunk > maxChunkBytes)
    throw new DataError(path, `is in chunks of ${chunk} bytes`, 'write smaller chunks: a few images each');
  return {
    count,
    height,
    width,
    stride: height * width * (colors ?? 1),
    isGray: colors === undefined,
    bytes: valueBytes,
    isFloat: /[fd]$/.test(type),
  };
}

type Values = Uint8Array | Float32Array | Float64Array;

function valuesOf(path: string, start: number, count: number): Values {
  return withFile(path, (file) => {
    const { shape } = dataOf(path, file);
    const ranges = shape!.map((size, axis): [number, number] =>
      axis === 0 ? [start, start + count] : [0, size],
    );
    return file.values('data', ranges) as Values;
  });
}

/** 255 where no value is greater than 1: then the values are shares of white. Mostly the first block tells. */
function findScale(path: string, count: number, block: number): number {
  for (let start = 0; start < count; start += block)
    if (valuesOf(path, start, Math.min(block, count - start)).some((value) => value > 1)) return 1;
  return 255;
}

/** Rounding would change what the network sees: values that are no bytes are refused. */
function toBytes(
  path: string,
  values: Values,
  scale: number,
  stride: number,
  first: number,
  bytes: Uint8Array,
): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] * scale;
    const byte = Math.round(value);
    if (!(byte >= 0 && byte <= 255 && Math.abs(value - byte) < 1e-3))
      throw new DataError(
        path,
        `image ${first + Math.floor(i / stride)} has the value ${values[i]}, which is no 8-bit sample`,
        REMEDY,
      );
    bytes[i] = byte;
  }
}
