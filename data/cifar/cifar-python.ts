import { DataError, LaOodError } from '../../src/common/errors.ts';
import { unpickle } from '../../src/common/pickle/machine.ts';
import { NumpyDtype, numpyGlobals } from '../../src/common/pickle/numpy.ts';
import { pythonGlobals } from '../../src/common/pickle/python.ts';
import {
  type PickleContext,
  type PickleDialect,
  PickleObject,
  PickleTuple,
  type PickleValue,
} from '../../src/common/pickle/values.ts';
import { type ByteSource, memorySource, sha256Of } from '../files/byte-source.ts';
import { imagesIn, type RawImages } from '../raw-images.ts';
import { cifarImages, IMAGE_BYTES } from './cifar-batch.ts';

/**
 * Opens a batch of CIFAR's Python form: a pickled dict with the images as a NumPy array `data`, N × 3072 bytes. Nothing
 * in the pickle is executed. The images are kept in memory, as the format cannot be read in parts.
 *
 * @param labelKey the key of the list of labels: `labels`, or `fine_labels` in CIFAR-100
 * @throws DataError where the file is not such a pickle
 */
export async function openPythonBatch(file: ByteSource, name: string, labelKey: string): Promise<RawImages> {
  const batch = await readDict(file);
  const labels = batch.get(labelKey);
  const data = batch.get('data');
  if (!Array.isArray(labels) || !labels.every(isLabel) || labels.length === 0)
    throw new DataError(file.where, `is no CIFAR batch: it has no list of ${labelKey}`, 'download it again');
  if (!(data instanceof ByteArray) || data.bytes.length !== labels.length * IMAGE_BYTES)
    throw new DataError(
      file.where,
      `is no CIFAR batch: data is not ${labels.length} × ${IMAGE_BYTES} bytes`,
      'download it again',
    );
  const pixels = memorySource(file.where, [data.bytes]);
  return {
    ...imagesIn(pixels, 0, {
      ...cifarImages,
      name,
      count: labels.length,
      stride: IMAGE_BYTES,
      labels: Uint8Array.from(labels),
    }),
    fingerprint: () => sha256Of(file),
  };
}

/** Class names from a pickled dict. */
export async function readPythonNames(file: ByteSource, key: string): Promise<string[] | undefined> {
  const names = (await readDict(file)).get(key);
  return Array.isArray(names) ? names.map(text) : undefined;
}

/** A NumPy array of uint8, its bytes in the order of rows. */
class ByteArray extends PickleObject {
  bytes = new Uint8Array();

  constructor() {
    super('numpy.ndarray');
  }
}

const multiarray = {
  ...numpyGlobals['numpy.core.multiarray'],
  // `_reconstruct(numpy.ndarray, (0,), b'b')` makes an empty array, which BUILD then fills.
  _reconstruct: () => new ByteArray(),
};

const dialect: PickleDialect = {
  globals: {
    ...pythonGlobals,
    numpy: { ...numpyGlobals.numpy, ndarray: null },
    'numpy.core.multiarray': multiarray,
    'numpy._core.multiarray': multiarray,
  },
  // CIFAR-100's images are one str of 154 MB.
  maxString: 256 << 20,
  unknownGlobalRemedy: () => 'a CIFAR batch needs no such name: download it again',
  build(object, state, machine) {
    if (object instanceof NumpyDtype) object.state = state;
    else if (object instanceof ByteArray) object.bytes = contents(state, machine);
    else machine.fail('gives a state to something other than an array');
    return object;
  },
};

/** The bytes in an array's state: version, shape, dtype, whether by columns, data. */
function contents(state: PickleValue, machine: PickleContext): Uint8Array<ArrayBuffer> {
  const [, shape, dtype, byColumns, data] = state instanceof PickleTuple ? state.items : [];
  const bytes = asBytes(data);
  if (!(dtype instanceof NumpyDtype) || dtype.code !== 'u1' || byColumns || !bytes)
    machine.fail('holds an array of something other than bytes in the order of rows');
  const sizes = shape instanceof PickleTuple ? shape.items : [];
  const count = sizes.reduce<number>((product, size) => product * Number(size), 1);
  if (count !== bytes.length) machine.fail(`holds an array of ${count} elements in ${bytes.length} bytes`);
  return bytes;
}

/** The file's dict with its keys as text: Python 3's are bytes where Python 2 wrote str. */
async function readDict(file: ByteSource): Promise<Map<string, PickleValue>> {
  const value = read(await file.read(0, file.size), file.where);
  if (!(value instanceof Map))
    throw new DataError(file.where, 'is no CIFAR file: it is not a dict', 'download it again');
  return new Map([...value].map(([key, item]) => [text(key), item]));
}

function read(bytes: Uint8Array, file: string): PickleValue {
  try {
    return unpickle(bytes, dialect, file).value;
  } catch (error) {
    if (error instanceof LaOodError) throw new DataError(error.where, error.problem, error.remedy, error);
    throw error;
  }
}

/** Python 2's str holds one byte a character. */
function asBytes(value: PickleValue): Uint8Array<ArrayBuffer> | undefined {
  if (typeof value === 'string') return new Uint8Array(Buffer.from(value, 'latin1'));
  return value instanceof Uint8Array ? new Uint8Array(value) : undefined;
}

function text(value: PickleValue): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : String(value);
}

function isLabel(value: PickleValue): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 256;
}
