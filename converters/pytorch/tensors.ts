import { CheckpointError } from '../../src/common/errors.ts';
import {
  bytesPerElement,
  type DType,
  elementCount,
  type Tensor,
  type TensorData,
  viewAs,
} from '../../src/common/tensor.ts';
import type { ReadStorage } from './contents.ts';
import { isDType } from './torch-dtypes.ts';
import type { StorageReference, TensorReference } from './torch-pickle.ts';

/** PyTorch allows no more either. */
const MAX_DIMENSIONS = 64;
/** Distinct strided views of one storage are copied; hostile files could ask for any number of copies. */
const MAX_COPIES = 16;

/**
 * Makes tensors of what the pickle says about them and the bytes of their storages. Tensors that lie in order are views
 * of their storage; others are copied into order. Tied tensors, the same part of one storage, share their data.
 */
export class TensorReader {
  readonly #readStorage: ReadStorage;
  readonly #storages = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly #parts = new Map<string, TensorData>();
  #bytesRead = 0;
  #bytesCopied = 0;

  constructor(readStorage: ReadStorage) {
    this.#readStorage = readStorage;
  }

  /**
   * @param where the file and the tensor's key, for messages
   * @throws CheckpointError where type or layout are not supported or do not fit the storage
   */
  async read(tensor: TensorReference, where: string): Promise<Tensor> {
    const dtype = checkType(tensor, where);
    const count = checkLayout(tensor, bytesPerElement(dtype), where);
    const data = await this.#part(tensor, dtype, count, where);
    return { dtype, shape: tensor.shape, data };
  }

  async #part(tensor: TensorReference, dtype: DType, count: number, where: string): Promise<TensorData> {
    const inOrder = isContiguous(tensor);
    const layout = inOrder ? count : `${tensor.shape}:${tensor.strides}`;
    const name = `${dtype}:${tensor.offset}:${layout}:${tensor.storage.key}`;
    const known = this.#parts.get(name);
    if (known) return known;
    const bytes = await this.#storage(tensor.storage);
    const start = tensor.offset * bytesPerElement(dtype);
    const rest = viewAs(dtype, bytes.subarray(start, start + wholeElements(bytes.length - start, dtype)));
    if (!inOrder) this.#countCopy(count * bytesPerElement(dtype), where);
    const part = inOrder ? rest.subarray(0, count) : gather(rest, tensor.shape, tensor.strides, count);
    this.#parts.set(name, part);
    return part;
  }

  async #storage(storage: StorageReference): Promise<Uint8Array<ArrayBuffer>> {
    const known = this.#storages.get(storage.key);
    if (known) return known;
    const bytes = await this.#readStorage(storage);
    this.#bytesRead += bytes.length;
    this.#storages.set(storage.key, bytes);
    return bytes;
  }

  #countCopy(bytes: number, where: string): void {
    this.#bytesCopied += bytes;
    if (this.#bytesCopied > MAX_COPIES * this.#bytesRead)
      throw new CheckpointError(where, `is one of too many views of the same data`, 'do not trust this file');
  }
}

function wholeElements(bytes: number, dtype: DType): number {
  return bytes - (bytes % bytesPerElement(dtype));
}

function checkType(tensor: TensorReference, where: string): DType {
  if (isDType(tensor.dtype)) return tensor.dtype;
  throw new CheckpointError(
    where,
    `has the element type ${tensor.dtype}, which is not supported`,
    'convert it with .float() and save the state dict again',
  );
}

/**
 * Whatever the strides, no two elements may share a place and none may lie outside the storage (CVE-2026-24747: PyTorch
 * trusted these numbers).
 *
 * @returns the number of elements
 */
function checkLayout(tensor: TensorReference, bytes: number, where: string): number {
  const { shape, strides, offset, storage } = tensor;
  const refuse = (problem: string, remedy?: string) => {
    throw new CheckpointError(where, problem, remedy);
  };
  if (shape.length > MAX_DIMENSIONS) refuse(`has ${shape.length} dimensions, more than ${MAX_DIMENSIONS}`);
  if (shape.length !== strides.length) refuse(`has ${shape.length} sizes and ${strides.length} strides`);
  const count = elementCount(shape);
  if (!Number.isSafeInteger(count)) refuse(`has a shape whose product is beyond 2^53: ${shape.join('×')}`);
  const last = count === 0 ? 0 : extent(shape, strides) + 1;
  if ((offset + last) * bytes > storage.byteLength)
    refuse(
      `lies outside its storage: elements ${offset} to ${offset + last} of ${Math.floor(storage.byteLength / bytes)}`,
    );
  if (count > 0 && overlaps(shape, strides))
    refuse('has elements that share memory', 'save it again after .contiguous()');
  return count;
}

/** The distance from the first element to the last. */
function extent(shape: readonly number[], strides: readonly number[]): number {
  return shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], 0);
}

/** No overlap, where each stride steps over all that the smaller strides reach. PyTorch's test is the same. */
function overlaps(shape: readonly number[], strides: readonly number[]): boolean {
  let reach = 0;
  const axes = [...shape.keys()].filter((axis) => shape[axis] > 1).sort((a, b) => strides[a] - strides[b]);
  for (const axis of axes) {
    if (strides[axis] <= reach) return true;
    reach += (shape[axis] - 1) * strides[axis];
  }
  return false;
}

/** Row-major; the strides of axes of size 1 mean nothing. */
function isContiguous({ shape, strides }: TensorReference): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] > 1 && strides[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}

/** The elements in row-major order. */
function gather<T extends TensorData>(
  source: T,
  shape: readonly number[],
  strides: readonly number[],
  count: number,
): T {
  const target = new (source.constructor as new (length: number) => T)(count);
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < count; to++) {
    target[to] = source[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= shape[axis] * strides[axis];
      index[axis] = 0;
    }
  }
  return target;
}
