import { createHash } from 'node:crypto';
import { createReadStream, rmdirSync, rmSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { markPattern, newMark, ownerOf } from './process-mark.ts';
import type { OnProgress } from './progress.ts';

/** Parts of files being written now: an exit by Ctrl-C leaves none behind. */
const parts = new Set<string>();
process.on('exit', () => {
  for (const part of parts) rmSync(part, { recursive: true, force: true });
});

/**
 * Makes a folder, and those that it is in, where they are not there.
 *
 * @returns removes those that were made and that nothing lies in
 */
export async function makeFolder(folder: string): Promise<() => void> {
  const made = await mkdir(folder, { recursive: true });
  return () => {
    if (made === undefined) return;
    const topmost = resolve(made);
    try {
      for (let at = resolve(folder); at.startsWith(topmost); at = dirname(at)) rmdirSync(at);
    } catch {
      // There is something in it.
    }
  };
}

/**
 * Gives `write` a path beside `target`, and renames what it wrote there into place: a reader sees the old file or
 * the whole new one, never a part. Where `write` throws, the part is removed and the old file stays; where the process is
 * killed, the next that writes this file removes it.
 */
export async function writeAtomically(
  target: string,
  write: string | Uint8Array | ((path: string) => Promise<void> | void),
): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const folder = dirname(target);
  await removeLeftParts(folder, `.${basename(target)}.`);
  const part = join(folder, `.${basename(target)}.${newMark()}.part`);
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

/**
 * As `writeAtomically`, for files that belong together: gives `write` an empty folder within `folder`, and then renames
 * the files that it names into place, in that order. Where `write` throws, nothing is left, not even `folder`, if it was
 * made for them; where the process is killed, the next that writes files together there removes what it left.
 */
export async function writeTogether(
  folder: string,
  write: (part: string) => Promise<readonly string[]>,
): Promise<void> {
  const removeEmpty = await makeFolder(folder);
  await removeLeftParts(folder, '.');
  const part = join(folder, `.${newMark()}.part`);
  parts.add(part);
  try {
    await mkdir(part);
    for (const name of await write(part)) await rename(join(part, name), join(folder, name));
  } finally {
    await rm(part, { recursive: true, force: true });
    parts.delete(part);
    removeEmpty();
  }
}

/** Parts that processes have left that run no more; `before` comes before the mark in their names. */
async function removeLeftParts(folder: string, before: string): Promise<void> {
  const after = '.part';
  for (const found of await readdir(folder)) {
    if (!found.startsWith(before) || !found.endsWith(after)) continue;
    const mark = found.slice(before.length, -after.length);
    if (markPattern.test(mark) && !ownerOf(mark))
      await rm(join(folder, found), { recursive: true, force: true });
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

/** What `sha256Files` tells of: bytes are counted in millions. */
const MEGABYTE = 1e6;

/**
 * Hex SHA-256 of files that take time to read, in their order.
 *
 * @returns undefined for those that are missing
 */
export async function sha256Files(
  paths: readonly string[],
  onProgress?: OnProgress,
): Promise<(string | undefined)[]> {
  const sizes = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        ({ size }) => size,
        () => undefined,
      ),
    ),
  );
  const total = Math.ceil(sizes.reduce((sum: number, size = 0) => sum + size, 0) / MEGABYTE);
  const tell = (done: number) => onProgress?.({ task: 'checking files', done, total, unit: 'MB' });
  const hashes: (string | undefined)[] = [];
  let bytes = 0;
  for (const [i, path] of paths.entries()) {
    if (sizes[i] === undefined) {
      hashes.push(undefined);
      continue;
    }
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
      hash.update(chunk);
      bytes += chunk.length;
      tell(Math.min(Math.floor(bytes / MEGABYTE), total - 1));
    }
    hashes.push(hash.digest('hex'));
  }
  if (total > 0) tell(total);
  return hashes;
}

/** Hex SHA-256 of bytes in memory. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
