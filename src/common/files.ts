import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/**
 * Gives `write` a path beside `target`, and renames what it wrote there into place: a reader sees the old file or
 * the whole new one, never a part. Where `write` throws, the part is removed and the old file stays.
 */
export async function writeAtomically(
  target: string,
  write: string | Uint8Array | ((path: string) => Promise<void> | void),
): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const part = join(dirname(target), `.${basename(target)}.${randomBytes(4).toString('hex')}.part`);
  try {
    if (typeof write === 'function') await write(part);
    else await writeFile(part, write);
    await rename(part, target);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** Hex SHA-256 of a file's bytes, read as a stream. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Hex SHA-256 of bytes in memory. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
