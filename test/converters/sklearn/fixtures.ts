import { mkdtempSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { DetectorError } from '../../../src/common/errors.ts';
import { PickleAssembler } from '../../../src/common/pickle/assembler.ts';

const folder = mkdtempSync(join(process.env.LA_OOD_TEST_FOLDER!, 'sklearn-'));

/** A path in a folder of this test run's own. */
export function temporaryPath(name: string): string {
  return join(folder, name);
}

export async function temporaryFile(bytes: Uint8Array | string, name = '0.joblib'): Promise<string> {
  const path = temporaryPath(name);
  await writeFile(path, bytes);
  return path;
}

/** Expects a `DetectorError` of one line that begins with `start` and matches. */
export async function expectRefusal(
  work: Promise<unknown>,
  start: string,
  ...messages: RegExp[]
): Promise<void> {
  try {
    await work;
  } catch (error) {
    expect(error).to.be.instanceOf(DetectorError);
    const { message } = error as DetectorError;
    expect(message.startsWith(start), message).to.equal(true);
    expect(message).not.to.include('\n');
    for (const expected of messages) expect(message).to.match(expected);
    return;
  }
  throw new Error('was read without an error');
}

/** How arrays are stored: by joblib since 1.2, since 0.10, by pickle, and by pickle in protocol 5. */
export type Storage = 'joblib' | 'joblib 0.10' | 'pickle' | 'buffer';

/** An array, sound unless a test says otherwise. */
export interface ArrayRecipe {
  readonly shape: readonly (number | bigint)[];
  readonly values?: readonly number[];
  readonly dtype?: string;
  readonly bigEndian?: boolean;
  readonly order?: 'C' | 'F';
  /** What it holds, where not the values. */
  readonly bytes?: Uint8Array;
}

/** Writes the value that it is an attribute's. */
export type Write = (pickle: PickleAssembler) => void;
export type Attribute = number | string | boolean | null | ArrayRecipe | Write;
export type AttributeTable = Readonly<Record<string, Attribute>>;

/** A OneClassSVM of two support vectors in two dimensions, with the attributes of every version of scikit-learn. */
export const svmAttributes = {
  kernel: 'rbf',
  gamma: 'scale',
  nu: 0.5,
  random_state: null,
  _sparse: false,
  _gamma: 0.25,
  support_: { shape: [2], dtype: 'i4', bytes: new Uint8Array(8) },
  support_vectors_: { shape: [2, 2], values: [0.5, -1, 1.5, 2] },
  _dual_coef_: { shape: [1, 2], values: [0.75, 0.25] },
  _intercept_: { shape: [1], values: [-0.625] },
  offset_: { shape: [1], values: [0.625] },
  shape_fit_: (pickle) => pickle.ints([2, 2]),
} as const satisfies AttributeTable;

export const scalerAttributes = {
  with_mean: true,
  with_std: true,
  mean_: { shape: [2], values: [1, -2] },
  scale_: { shape: [2], values: [0.5, 4] },
} as const satisfies AttributeTable;

/** What `svmAttributes` and `scalerAttributes` are when they are read. */
export const soundDetector = {
  tap: 'conv1',
  width: 2,
  nu: 0.5,
  gamma: 0.25,
  supportVectors: Float32Array.of(0.5, -1, 1.5, 2),
  alpha: Float32Array.of(0.75, 0.25),
  rho: 0.625,
  scaler: { mean: Float64Array.of(1, -2), scale: Float64Array.of(0.5, 4) },
};

export function svmFile(changes: AttributeTable = {}, storage?: Storage): Uint8Array {
  return estimatorFile('sklearn.svm._classes', 'OneClassSVM', { ...svmAttributes, ...changes }, storage);
}

export function scalerFile(changes: AttributeTable = {}, storage?: Storage): Uint8Array {
  const attributes = { ...scalerAttributes, ...changes };
  return estimatorFile('sklearn.preprocessing._data', 'StandardScaler', attributes, storage);
}

/** An estimator as `joblib.dump` and `pickle.dump` write it. */
export function estimatorFile(
  module: string,
  name: string,
  attributes: AttributeTable,
  storage: Storage = 'joblib',
): Uint8Array {
  const pickle = new PickleAssembler().protocol(4).global(module, name).emit('EMPTY_TUPLE', 'NEWOBJ');
  pickle.emit('EMPTY_DICT', 'MARK');
  for (const [key, value] of Object.entries(attributes)) writeAttribute(pickle.string(key), value, storage);
  return pickle.emit('SETITEMS', 'BUILD', 'STOP').bytes();
}

export function writeAttribute(pickle: PickleAssembler, value: Attribute, storage: Storage): void {
  if (value === null) pickle.emit('NONE');
  else if (typeof value === 'boolean') pickle.emit(value ? 'NEWTRUE' : 'NEWFALSE');
  else if (typeof value === 'string') pickle.string(value);
  else if (typeof value === 'number') float(pickle, value);
  else if (typeof value === 'function') value(pickle);
  else array(pickle, value, storage);
}

function float(pickle: PickleAssembler, value: number): void {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  pickle.emit('BINFLOAT', bytes);
}

function array(pickle: PickleAssembler, recipe: ArrayRecipe, storage: Storage): void {
  const { shape, order = 'C' } = recipe;
  const raw = rawBytes(recipe);
  if (storage === 'buffer') {
    bytes(pickle.global('numpy._core.numeric', '_frombuffer').emit('MARK'), raw);
    dtype(pickle, recipe);
    pickle.ints(shape).string(order).emit('TUPLE', 'REDUCE');
  } else if (storage === 'pickle') {
    pickle.global('numpy.core.multiarray', '_reconstruct').global('numpy', 'ndarray').ints([0]);
    bytes(pickle, Buffer.from('b'));
    pickle.emit('TUPLE3', 'REDUCE', 'MARK').int(1).ints(shape);
    dtype(pickle, recipe);
    bytes(pickle.emit(order === 'F' ? 'NEWTRUE' : 'NEWFALSE'), raw);
    pickle.emit('TUPLE', 'BUILD');
  } else {
    const aligned = storage === 'joblib';
    wrapper(pickle, recipe, aligned);
    pickle.emit('BUILD');
    if (aligned) {
      const padding = 16 - ((pickle.bytes().length + 1) % 16);
      pickle.emit(Uint8Array.of(padding), new Uint8Array(padding).fill(0xff));
    }
    pickle.emit(raw);
  }
}

/** joblib's stand-in for an array, up to its BUILD. */
function wrapper(pickle: PickleAssembler, recipe: ArrayRecipe, aligned: boolean): void {
  pickle
    .global('joblib.numpy_pickle', 'NumpyArrayWrapper')
    .emit('EMPTY_TUPLE', 'NEWOBJ', 'EMPTY_DICT', 'MARK');
  pickle.string('subclass').global('numpy', 'ndarray').string('shape').ints(recipe.shape);
  dtype(
    pickle
      .string('order')
      .string(recipe.order ?? 'C')
      .string('dtype'),
    recipe,
  );
  pickle.string('allow_mmap').emit('NEWTRUE');
  if (aligned) pickle.string('numpy_array_alignment_bytes').int(16);
  pickle.emit('SETITEMS');
}

function dtype(pickle: PickleAssembler, { dtype = 'f8', bigEndian }: ArrayRecipe): void {
  pickle.global('numpy', 'dtype').string(dtype).emit('NEWFALSE', 'NEWTRUE', 'TUPLE3', 'REDUCE');
  pickle
    .emit('MARK')
    .int(3)
    .string(bigEndian ? '>' : '<')
    .emit('NONE', 'NONE', 'NONE');
  pickle.int(0).int(0).int(0).emit('TUPLE', 'BUILD');
}

function bytes(pickle: PickleAssembler, content: Uint8Array): PickleAssembler {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(content.length);
  return pickle.emit('BINBYTES', length, content);
}

function rawBytes({ values = [], dtype = 'f8', bigEndian, bytes: given }: ArrayRecipe): Uint8Array {
  if (given) return given;
  const size = dtype === 'f4' ? 4 : 8;
  const raw = Buffer.alloc(size * values.length);
  values.forEach((value, i) => {
    if (size === 4) bigEndian ? raw.writeFloatBE(value, 4 * i) : raw.writeFloatLE(value, 4 * i);
    else bigEndian ? raw.writeDoubleBE(value, 8 * i) : raw.writeDoubleLE(value, 8 * i);
  });
  return raw;
}
