import { z } from 'zod';
import { printable } from '../../src/common/printable.ts';
import {
  bytesPerElement,
  type DType,
  elementCount,
  type StateDict,
  viewAs,
} from '../../src/common/tensor.ts';
import type { CheckpointFile } from '../pytorch/file.ts';
import { FETCH_AGAIN } from '../pytorch/file.ts';
import { dtypes } from './safetensors-dtypes.ts';

/** The format's own limit on its header. */
const LARGEST_HEADER = 100_000_000;

/**
 * Whether a file is in the safetensors format: 8 bytes with the length of a header that fits into it and begins with a
 * brace. Asked before any other format: one length in 32 begins with the byte of a pickle.
 *
 * @param head its first bytes, at least 9 where it has them
 */
export function isSafetensors(head: Uint8Array, fileSize: number): boolean {
  if (head.length < 10 || head[8] !== 0x7b) return false;
  const length = Number(new DataView(head.buffer, head.byteOffset).getBigUint64(0, true));
  return length >= 2 && length <= Math.min(LARGEST_HEADER, fileSize - 8);
}

const entry = z.object({
  dtype: z.string(),
  shape: z.array(z.int().nonnegative()).max(64),
  data_offsets: z.tuple([z.int().nonnegative(), z.int().nonnegative()]),
});
const headerSchema = z.record(z.string(), z.unknown());

/**
 * Reads every tensor of a safetensors file, in the order of its header.
 * (https://github.com/huggingface/safetensors, "Format")
 *
 * @throws CheckpointError where header and data do not agree, byte for byte
 */
export async function readSafetensors(file: CheckpointFile): Promise<StateDict> {
  const length = Number(new DataView((await file.read(0, 8)).buffer).getBigUint64(0, true));
  const header = parseHeader(file, await file.read(8, length));
  const entries = Object.entries(header).filter(([key]) => key !== '__metadata__');
  const tensors = entries.map(([key, value]) => ({ key, ...checkEntry(file, key, value) }));
  checkCover(file, tensors, file.size - 8 - length);
  const stateDict: StateDict = new Map();
  for (const { key, dtype, shape, start, end } of tensors) {
    const bytes = await file.read(8 + length + start, end - start);
    stateDict.set(key, { dtype, shape, data: viewAs(dtype, bytes) });
  }
  return stateDict;
}

function parseHeader(file: CheckpointFile, bytes: Uint8Array): Record<string, unknown> {
  try {
    // JSON keeps the last of two equal keys, as safetensors does not allow them: sizes then leave a hole.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const parsed = headerSchema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
  } catch {
    // Said below.
  }
  return file.fail('has a safetensors header that is no JSON', FETCH_AGAIN);
}

function checkEntry(file: CheckpointFile, key: string, value: unknown) {
  const place = `tensor ${printable(key)}`;
  const { data } = entry.safeParse(value);
  if (!data) file.fail(`${place} has no dtype, shape and data_offsets`, FETCH_AGAIN);
  const { shape } = data;
  const [start, end] = data.data_offsets;
  if (!Object.hasOwn(dtypes, data.dtype))
    file.fail(
      `${place} has the element type ${printable(data.dtype)}, which is not supported`,
      'convert it to F32',
    );
  const dtype: DType = dtypes[data.dtype];
  const needed = elementCount(shape) * bytesPerElement(dtype);
  if (!Number.isSafeInteger(needed) || needed !== end - start)
    file.fail(
      `${place} of ${data.dtype} ${shape.join('×')} needs ${needed} bytes and has ${end - start}`,
      FETCH_AGAIN,
    );
  return { dtype, shape, start, end };
}

/** The tensors must cover the data without holes and overlaps. */
function checkCover(
  file: CheckpointFile,
  tensors: readonly { readonly key: string; readonly start: number; readonly end: number }[],
  size: number,
): void {
  let position = 0;
  for (const { key, start, end } of [...tensors].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (start !== position)
      file.fail(
        `tensor ${printable(key)} begins at byte ${start} of the data, and the one before ends at ${position}`,
        FETCH_AGAIN,
      );
    position = end;
  }
  if (position !== size)
    file.fail(`has ${size} bytes of data where its tensors need ${position}`, FETCH_AGAIN);
}
