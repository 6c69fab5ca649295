import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, rmSync } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Parts of files being written now: an exit by Ctrl-C leaves none behind. */
const parts = new Set<string>();
process.on('exit', () => {
  for (const part of parts) rmSync(part, { force: true });
});

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
  parts.add(part);
  try {
    if (typeof write === 'function') await write(part);
    else await writeFile(part, write);
    await rename(part, target);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    parts.delete(part);
  }
}

/** Whether two paths lead to one file that exists, through whatever links. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([a, b].map((path) => stat(path).catch(() => undefined)));
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev;
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
