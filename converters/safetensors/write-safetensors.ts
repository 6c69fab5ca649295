import { type FileHandle, open } from 'node:fs/promises';
import { writeAtomically } from '../../src/common/files.ts';
import type { StateDict } from '../../src/common/tensor.ts';
import { dtypes } from './safetensors-dtypes.ts';

/**
 * Writes a state dict as a safetensors file that `safetensors.torch.load_file` takes: its tensors in their order, each
 * by itself, the header padded so that the data begin where any element may.
 */
export async function writeSafetensors(path: string, stateDict: StateDict): Promise<void> {
  const names = new Map(Object.entries(dtypes).map(([name, dtype]) => [dtype, name]));
  let position = 0;
  const entries = Array.from(stateDict, ([key, { dtype, shape, data }]) => {
    const start = position;
    position += data.byteLength;
    return [key, { dtype: names.get(dtype), shape, data_offsets: [start, position] }] as const;
  });
  const json = JSON.stringify(Object.fromEntries([['__metadata__', { format: 'pt' }], ...entries]));
  const header = Buffer.from(json.padEnd(json.length + (-Buffer.byteLength(json) & 7)));
  const length = Buffer.from(BigUint64Array.of(BigInt(header.length)).buffer);
  await writeAtomically(path, async (part) => {
    const file = await open(part, 'w');
    try {
      await writeAll(file, length);
      await writeAll(file, header);
      for (const { data } of stateDict.values())
        await writeAll(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    } finally {
      await file.close();
    }
  });
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  // The operating system writes less than 2 GiB at a time.
  for (let done = 0; done < bytes.length; )
    done += (await file.write(bytes, done, Math.min(bytes.length - done, 1 << 30))).bytesWritten;
}
