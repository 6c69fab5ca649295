import { printable } from '../printable.ts';
import { NumpyDtype, numpyGlobals } from './numpy.ts';
import {
  type GlobalTable,
  type PickleContext,
  PickleObject,
  PickleTuple,
  type PickleValue,
  typeName,
} from './values.ts';

/** What an array holds; the number of its bytes is what its shape and dtype say. */
export interface ArrayContents {
  readonly shape: readonly number[];
  readonly dtype: NumpyDtype;
  /** C: the last axis runs fastest; F: the first. */
  readonly order: 'C' | 'F';
  readonly bytes: Uint8Array;
}

/** A dense `numpy.ndarray` of plain numbers, as its pickle holds it. */
export class NumpyArray extends PickleObject {
  /** Undefined between `_reconstruct`, which makes an empty array, and the BUILD that fills it. */
  contents: ArrayContents | undefined;

  constructor(contents?: ArrayContents) {
    super('numpy.ndarray');
    this.contents = contents;
  }
}

const multiarray = {
  ...numpyGlobals['numpy.core.multiarray'],
  // `_reconstruct(numpy.ndarray, (0,), b'b')`; BUILD gives the array its contents.
  _reconstruct: () => new NumpyArray(),
};
const numeric = { _frombuffer: fromBuffer };

/** Harmless names of NumPy, as `numpyGlobals`, and those of arrays. Before NumPy 2 `_core` was called `core`. */
export const numpyArrayGlobals: GlobalTable = {
  numpy: { ...numpyGlobals.numpy, ndarray: null },
  'numpy.core.multiarray': multiarray,
  'numpy._core.multiarray': multiarray,
  'numpy.core.numeric': numeric,
  'numpy._core.numeric': numeric,
};

/** BUILD of an array: the state `(version, shape, dtype, is it in Fortran order, data)` of `ndarray.__setstate__`. */
export function fillArray(array: NumpyArray, state: PickleValue, machine: PickleContext): void {
  const [, shape, dtype, isFortran, data] = state instanceof PickleTuple ? state.items : [];
  // Python 2 stored the bytes as a str.
  const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
  array.contents = contentsOf(shape, dtype, isFortran ? 'F' : 'C', bytes, machine);
}

/**
 * Checks the shape and the dtype of an array whose bytes are elsewhere.
 *
 * @returns its bytes' number besides them
 */
export function arrayLayout(
  shape: PickleValue | undefined,
  dtype: PickleValue | undefined,
  machine: PickleContext,
): { shape: number[]; dtype: NumpyDtype; byteLength: number } {
  if (!(dtype instanceof NumpyDtype)) machine.fail('holds an array without a dtype');
  const { elementBytes } = dtype;
  if (elementBytes === undefined)
    machine.fail(
      `holds an array of dtype ${printable(dtype.code)}, which is not read: it is no plain number`,
    );
  if (!(shape instanceof PickleTuple))
    machine.fail(`holds an array whose shape is ${printable(typeName(shape))}`);
  const sizes = shape.items.map((size) => {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      machine.fail('holds an array with a size that is no natural number');
    return size;
  });
  const byteLength = sizes.reduce((product, size) => product * size, elementBytes);
  if (!Number.isSafeInteger(byteLength)) machine.fail('holds an array of more than 2^53 bytes');
  return { shape: sizes, dtype, byteLength };
}

/** `_frombuffer(buffer, dtype, shape, order)`, since NumPy 1.16 in protocol 5. Order K, with axes of its own, is rare. */
function fromBuffer(
  [buffer, dtype, shape, order]: readonly PickleValue[],
  machine: PickleContext,
): NumpyArray {
  if (order !== 'C' && order !== 'F') machine.fail('holds an array in neither C nor Fortran order');
  return new NumpyArray(contentsOf(shape, dtype, order, buffer, machine));
}

function contentsOf(
  shape: PickleValue | undefined,
  dtype: PickleValue | undefined,
  order: 'C' | 'F',
  bytes: PickleValue | undefined,
  machine: PickleContext,
): ArrayContents {
  const { byteLength, ...layout } = arrayLayout(shape, dtype, machine);
  if (!(bytes instanceof Uint8Array))
    machine.fail(`holds an array whose data are ${printable(typeName(bytes))}`);
  if (bytes.length !== byteLength)
    machine.fail(`holds an array of ${byteLength} bytes by its shape, and there are ${bytes.length}`);
  return { ...layout, order, bytes };
}

/**
 * The elements of an array, row by row.
 *
 * @returns undefined where they are neither float64 nor float32, or the array has more than two axes
 */
export function toFloat64({ shape, dtype, order, bytes }: ArrayContents): Float64Array | undefined {
  const { code, littleEndian, elementBytes } = dtype;
  if ((code !== 'f8' && code !== 'f4') || shape.length > 2) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float64Array(bytes.length / elementBytes!);
  const [rows, columns = 1] = shape;
  for (let i = 0; i < values.length; i++) {
    const at = order === 'C' ? i : (i % columns) * rows + Math.floor(i / columns);
    values[i] = code === 'f8' ? view.getFloat64(8 * at, littleEndian) : view.getFloat32(4 * at, littleEndian);
  }
  return values;
}
