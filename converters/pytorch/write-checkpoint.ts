import { CheckpointError } from '../../src/common/errors.ts';
import { writeAtomically } from '../../src/common/files.ts';
import { PickleAssembler } from '../../src/common/pickle/assembler.ts';
import type { StateDict, Tensor, TensorData } from '../../src/common/tensor.ts';
import { storageName } from './torch-dtypes.ts';
import { writeZip, type ZipRecord } from './zip-writer.ts';

/** As `torch.save` aligns storages since PyTorch 2.1. */
const ALIGNMENT = 64;
/** Beyond these a zip archive needs 64-bit fields, which are not written. */
const MAX_BYTES = 0xf0000000;
const MAX_TENSORS = 65_000;

/**
 * Writes a state dict as `torch.save(state_dict, path)` does in the zip format: what
 * `torch.load(path, weights_only=True)` gives is an OrderedDict of the same tensors, bit for bit, in the same order.
 * Tensors that share their data stay tied. The same state dict gives the same bytes.
 *
 * @throws CheckpointError above 3.75 GiB or 65,000 tensors
 *
 * @example
 * ```ts
 * import { writeCheckpoint } from 'la-ood/checkpoints';
 *
 * await writeCheckpoint(
 *   'weights.pth',
 *   new Map([['fc.bias', { dtype: 'float32', shape: [2], data: Float32Array.of(0.5, -0.5) }]]),
 * );
 * ```
 */
export async function writeCheckpoint(path: string, stateDict: StateDict): Promise<void> {
  const storages = assignStorages(stateDict);
  checkSize(path, stateDict, storages);
  const text = (name: string, content: string): ZipRecord => ({ name, bytes: Buffer.from(content) });
  const records = [
    { name: 'archive/data.pkl', bytes: pickleStateDict(stateDict, storages) },
    text('archive/.format_version', '1'),
    text('archive/.storage_alignment', String(ALIGNMENT)),
    text('archive/byteorder', 'little'),
    ...[...new Map([...storages].map(([{ data }, key]) => [key, data]))].map(([key, data]) => ({
      name: `archive/data/${key}`,
      bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    })),
    text('archive/version', '3\n'),
  ];
  await writeAtomically(path, (part) => writeZip(part, records, ALIGNMENT));
}

/** A key for the storage of each tensor, the same one for tensors of one data. */
function assignStorages(stateDict: StateDict): Map<Tensor, string> {
  const known = new Map<TensorData, Tensor>();
  const keys = new Map<Tensor, string>();
  let next = 0;
  for (const tensor of stateDict.values()) {
    const tied = known.get(tensor.data);
    // bool and uint8, float16 and bfloat16 are in arrays of the same class; a storage has one type.
    const key = tied?.dtype === tensor.dtype ? keys.get(tied)! : String(next++);
    if (!tied) known.set(tensor.data, tensor);
    keys.set(tensor, key);
  }
  return keys;
}

function checkSize(path: string, stateDict: StateDict, storages: ReadonlyMap<Tensor, string>): void {
  let bytes = 0;
  for (const { data } of storages.keys()) bytes += data.byteLength;
  if (bytes > MAX_BYTES || stateDict.size > MAX_TENSORS)
    throw new CheckpointError(
      path,
      `would hold ${bytes} bytes in ${stateDict.size} tensors; up to ${MAX_BYTES} bytes and ${MAX_TENSORS} tensors are written`,
      'save a smaller network',
    );
}

/** What `torch.save` pickles: an OrderedDict of `_rebuild_tensor_v2` calls, storages by persistent id. */
function pickleStateDict(stateDict: StateDict, storages: ReadonlyMap<Tensor, string>): Uint8Array {
  const pickle = new PickleAssembler().protocol(2);
  emptyOrderedDict(pickle).emit('MARK');
  for (const [key, tensor] of stateDict) {
    pickle.string(key).global('torch._utils', '_rebuild_tensor_v2').emit('MARK');
    storageId(pickle, tensor, storages.get(tensor)!);
    // Storage offset, size, stride, requires_grad, backward hooks.
    pickle.int(0).ints(tensor.shape).ints(rowMajorStrides(tensor.shape)).emit('NEWFALSE');
    emptyOrderedDict(pickle).emit('TUPLE', 'REDUCE');
  }
  return pickle.emit('SETITEMS', 'STOP').bytes();
}

function emptyOrderedDict(pickle: PickleAssembler): PickleAssembler {
  return pickle.global('collections', 'OrderedDict').emit('EMPTY_TUPLE', 'REDUCE');
}

function storageId(pickle: PickleAssembler, { dtype, data }: Tensor, key: string): void {
  pickle.emit('MARK').string('storage').global('torch', storageName(dtype)).string(key).string('cpu');
  pickle.int(data.length).emit('TUPLE', 'BINPERSID');
}

/** PyTorch's strides of a contiguous tensor: empty axes count as 1. */
function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= Math.max(shape[axis], 1);
  }
  return strides;
}
