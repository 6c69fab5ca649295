import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Marks of processes, for files that tell whose they are: machine, number, time of start and something random. A number
 * alone may be another program's by now, or one of another machine that shares the folder.
 */

const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** A new mark of this process, fit for a file's name: `1f0c2a9b-4711-8824512-5d0e93aa`. */
export function newMark(): string {
  return `${host}-${process.pid}-${startOf(process.pid) ?? 0}-${randomBytes(4).toString('hex')}`;
}

/** What a mark looks like. */
export const markPattern = /^[0-9a-f]{8}-\d+-\d+-[0-9a-f]{8}$/;

/**
 * The process that a mark is of, where it still runs, or where that cannot be seen from here.
 *
 * @param mark a bare number too, which is all that there was before: then it must be of a program like this one
 */
export function ownerOf(mark: string): { readonly pid: number; readonly isHere: boolean } | undefined {
  if (/^\d+$/.test(mark)) {
    const pid = Number(mark);
    const isLikely =
      isRunning(pid, 0) && (programOf(pid) ?? programOf(process.pid)) === programOf(process.pid);
    return isLikely ? { pid, isHere: true } : undefined;
  }
  if (!markPattern.test(mark)) return undefined;
  const [machine, pid, start] = mark.split('-');
  const isHere = machine === host;
  return isHere && !isRunning(Number(pid), Number(start)) ? undefined : { pid: Number(pid), isHere };
}

/**
 * Whether a process runs.
 *
 * @param start when it was started, 0 where that is not known
 */
function isRunning(pid: number, start: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return start === 0 || (startOf(pid) ?? start) === start;
}

/** When a process was started, in ticks since the machine was: Linux says it (proc(5), `starttime`). */
function startOf(pid: number): number | undefined {
  try {
    // The program's name, in parentheses, may hold spaces.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return undefined;
  }
}

/** The program that a process runs, where the system says it. */
function programOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}
