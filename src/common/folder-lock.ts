import { rmSync } from 'node:fs';
import { link, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { advice, option, RunError } from './errors.ts';
import { sha256 } from './files.ts';
import { newMark, ownerOf } from './process-mark.ts';

/** What keeps other processes out of a folder. */
export interface FolderLock {
  release(): void;
}

/** While another process removes what a dead one has left. */
const WAIT_MS = 5;

/**
 * Takes a lock: a file that exists as long as a process uses the folder, and holds the process's mark. It comes to be
 * with its content, by a hard link, so that it never is without an owner; what a process has left that was killed is
 * taken over, by one process at a time.
 *
 * @param afterwards is called when the lock is gone
 * @throws RunError where a process that runs has it, or something else lies at its place
 */
export async function lockFolder(path: string, afterwards?: () => void): Promise<FolderLock> {
  const mark = newMark();
  const own = `${path}.${mark}`;
  const release = () => {
    rmSync(path, { force: true });
    process.off('exit', release);
    afterwards?.();
  };
  await writeFile(own, `${mark}\n`);
  try {
    while (!(await linked(own, path))) await removeStale(path, own);
  } finally {
    await rm(own, { force: true });
  }
  process.once('exit', release);
  await removeLeft(path);
  return { release };
}

/** Whether the lock is there now, and ours. */
function linked(own: string, path: string): Promise<boolean> {
  return link(own, path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return false;
      throw error;
    },
  );
}

/**
 * Removes a lock whose owner runs no more. Who does it holds a second lock meanwhile, which is named by what is in the
 * first: marks are never made again, so that what is removed is what was looked at.
 *
 * @throws RunError where the owner runs
 */
async function removeStale(path: string, own: string): Promise<void> {
  const mark = await staleMark(path);
  if (mark === undefined) return;
  const remover = `${path}.${sha256(Buffer.from(mark)).slice(0, 16)}.stale`;
  if (!(await linked(own, remover))) {
    // Another process is at it; where it was killed over it, what it left is removed in the same way.
    await removeStale(remover, own).catch(() => setTimeout(WAIT_MS));
    return;
  }
  try {
    if ((await readMark(path)) === mark) await rm(path, { force: true });
  } finally {
    await rm(remover, { force: true });
  }
}

/**
 * What is in a lock whose owner runs no more; undefined where the lock is gone.
 *
 * @throws RunError where its owner runs
 */
async function staleMark(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory())
    throw new RunError(path, 'is a folder, and the lock of la-ood belongs there', 'move it away');
  const mark = await readMark(path);
  const owner = mark === undefined ? undefined : ownerOf(mark);
  if (!owner) return mark;
  throw new RunError(
    path,
    `process ${owner.pid}${owner.isHere ? '' : ' of another machine'} is using this run folder`,
    owner.isHere
      ? advice`wait for it, or use another ${option('run')}`
      : 'wait for it, or remove this file if it has ended',
  );
}

async function readMark(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
}

/** Removes what processes have left beside the lock that were killed while they took it. */
async function removeLeft(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(prefix)) continue;
    const left = join(dirname(path), name);
    // What is not linked yet may not be written yet either: its name tells.
    const mark = name.endsWith('.stale') ? await readMark(left) : name.slice(prefix.length);
    if (mark !== undefined && !ownerOf(mark)) await rm(left, { force: true });
  }
}
