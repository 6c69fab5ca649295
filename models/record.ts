import { z } from 'zod';
import { type DType, type StateDict, type Tensor, toFloat16, toFloat32 } from '../src/common/tensor.ts';

/**
 * How the weights lay in the checkpoint that a backbone was imported from: enough to write them again, key by key and
 * bit by bit.
 */
export const recordSchema = z.object({
  /** What a wrapper put before every key; the network's own code has it not. */
  prefix: z.string().optional(),
  /** In the file's order. */
  tensors: z.array(
    z.object({
      key: z.string(),
      /** The initializer or counter that holds it, where that is not called by the key. */
      as: z.string().optional(),
      /** Of half floats, which the graph holds as float32. */
      dtype: z.enum(['float16', 'bfloat16']).optional(),
      /** What it holds itself, where the graph has no place for it: the mean and deviation of images. */
      values: z.array(z.number()).optional(),
      shape: z.array(z.int().nonnegative()).optional(),
    }),
  ),
});

export type StateDictRecord = z.infer<typeof recordSchema>;
type RecordedTensor = StateDictRecord['tensors'][number];

/** The record of one tensor; `as` is the key that the network knows it by, undefined where it has no place. */
export function recordOf(key: string, as: string | undefined, tensor: Tensor): RecordedTensor {
  const { dtype, shape } = tensor;
  return {
    key,
    ...(as !== undefined && as !== key && { as }),
    ...((dtype === 'float16' || dtype === 'bfloat16') && { dtype }),
    ...(as === undefined && { values: [...toFloat32(tensor)], shape: [...shape] }),
  };
}

/**
 * The state dict as it was recorded.
 *
 * @param read the tensor of an initializer or counter, undefined where a counter is absent
 */
export function recordedStateDict(
  { tensors }: StateDictRecord,
  read: (name: string) => Tensor | undefined,
): StateDict {
  const stateDict: StateDict = new Map();
  const halves = new Map<Tensor, Tensor>();
  const asRecorded = (tensor: Tensor, dtype: DType | undefined): Tensor => {
    if (dtype !== 'float16' && dtype !== 'bfloat16') return tensor;
    const known = halves.get(tensor) ?? toHalf(tensor, dtype);
    halves.set(tensor, known);
    return known;
  };
  for (const { key, as = key, dtype, values, shape } of tensors) {
    const tensor: Tensor | undefined = values
      ? { dtype: 'float32', shape: shape ?? [values.length], data: Float32Array.from(values) }
      : read(as);
    if (tensor) stateDict.set(key, asRecorded(tensor, dtype));
  }
  return stateDict;
}

/** The tensor in half floats, where they hold it exactly; else, as after training, as it is. */
function toHalf(tensor: Tensor, dtype: 'float16' | 'bfloat16'): Tensor {
  if (tensor.dtype !== 'float32') return tensor;
  const values = tensor.data as Float32Array;
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const data = dtype === 'bfloat16' ? Uint16Array.from(bits, (word) => word >>> 16) : toFloat16(values);
  const half: Tensor = { dtype, shape: tensor.shape, data };
  return toFloat32(half).every((value, i) => Object.is(value, values[i])) ? half : tensor;
}
