import {
  type GlobalTable,
  type PickleContext,
  PickleObject,
  PickleTuple,
  type PickleValue,
} from './values.ts';

/** `numpy.dtype('f8')`; its state's second item is the byte order: `<`, `>`, or `|` where there is none. */
export class NumpyDtype extends PickleObject {
  constructor(readonly code: string) {
    super('numpy.dtype');
  }

  get littleEndian(): boolean {
    return !(this.state instanceof PickleTuple && this.state.items[1] === '>');
  }

  /** Bytes of one element; undefined for what is no plain number: objects, text, records, complex numbers. */
  get elementBytes(): number | undefined {
    return Object.hasOwn(elements, this.code) ? elements[this.code][0] : undefined;
  }
}

const multiarray = { scalar: readScalar };

/** Harmless names of NumPy: dtypes and scalars, such as the best accuracy in a training script's checkpoint. */
export const numpyGlobals: GlobalTable = {
  numpy: { dtype: makeDtype },
  'numpy.core.multiarray': multiarray,
  'numpy._core.multiarray': multiarray,
};

function makeDtype(args: readonly PickleValue[], machine: PickleContext): NumpyDtype {
  if (typeof args[0] !== 'string') machine.fail('makes a numpy.dtype without a name');
  return new NumpyDtype(args[0]);
}

type ReadElement = (view: DataView, littleEndian: boolean) => number | bigint | boolean;

const elements: Readonly<Record<string, readonly [bytes: number, read: ReadElement]>> = {
  f8: [8, (view, le) => view.getFloat64(0, le)],
  f4: [4, (view, le) => view.getFloat32(0, le)],
  i8: [8, (view, le) => view.getBigInt64(0, le)],
  i4: [4, (view, le) => view.getInt32(0, le)],
  i2: [2, (view, le) => view.getInt16(0, le)],
  i1: [1, (view) => view.getInt8(0)],
  u8: [8, (view, le) => view.getBigUint64(0, le)],
  u4: [4, (view, le) => view.getUint32(0, le)],
  u2: [2, (view, le) => view.getUint16(0, le)],
  u1: [1, (view) => view.getUint8(0)],
  b1: [1, (view) => view.getUint8(0) !== 0],
};

/** `scalar(dtype, bytes)`; Python 2 stored the bytes as a str. Scalars of other types stay closed. */
function readScalar(args: readonly PickleValue[], machine: PickleContext): PickleValue {
  const [dtype, raw] = args;
  if (!(dtype instanceof NumpyDtype)) machine.fail('makes a NumPy scalar without a dtype');
  if (!Object.hasOwn(elements, dtype.code)) return new PickleObject(`numpy.${dtype.code}`);
  const [length, read] = elements[dtype.code];
  const bytes = typeof raw === 'string' ? Buffer.from(raw, 'latin1') : raw;
  if (!(bytes instanceof Uint8Array) || bytes.length !== length)
    machine.fail(`makes a NumPy scalar of type ${dtype.code} without its ${length} bytes`);
  const value = read(new DataView(bytes.buffer, bytes.byteOffset, length), dtype.littleEndian);
  return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
