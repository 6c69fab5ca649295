import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** A program that runs; what it prints, on either stream, is kept. */
export interface Program {
  readonly process: ChildProcess;
  readonly printed: () => string;
  /** @throws where it fails, with what it printed */
  readonly finished: Promise<void>;
}

/** Starts a program that must end well. */
export function startProgram(
  path: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Program {
  // A test that has failed does not wait for what it started.
  const child = spawn(path, args, { env: { ...process.env, ...env }, timeout: 240_000 });
  const texts: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => texts.push(text));
  const printed = () => texts.join('');
  const finished = new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`${path} ended with ${code ?? signal}: ${printed()}`)),
    );
  });
  finished.catch(() => {});
  return { process: child, printed, finished };
}

/** Starts one of the recipes. */
export function startRecipe(name: string, args: readonly string[], env?: Record<string, string>): Program {
  const script = fileURLToPath(new URL(`../../recipes/${name}`, import.meta.url));
  return startProgram(process.env.LA_OOD_PYTHON!, [script, ...args], env);
}

/** Waits until something holds; fails as soon as the program does that it is waited for. */
export async function until<T>(program: Program, holds: () => T | undefined | false): Promise<T> {
  for (const start = Date.now(); ; await Promise.race([sleep(50), program.finished])) {
    const value = holds();
    if (value) return value;
    if (program.process.exitCode !== null) throw new Error(`it has ended: ${program.printed()}`);
    if (Date.now() - start > 120_000) throw new Error(`nothing happened for 2 minutes: ${program.printed()}`);
  }
}

/** Processes that a process has started, itself or through others: ids, and how they call themselves. Linux. */
export function descendants(pid: number): Map<number, string> {
  const parents = new Map<number, number>();
  for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    // `PID (NAME) STATE PARENT …`, and a name may hold spaces and brackets.
    const stat = contents(`/proc/${id}/stat`);
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (parent && state !== 'Z') parents.set(Number(id), Number(parent));
  }
  const isDescendant = (id: number | undefined): boolean =>
    id !== undefined && (parents.get(id) === pid || isDescendant(parents.get(id)));
  const found = [...parents.keys()].filter(isDescendant);
  return new Map(found.map((id) => [id, contents(`/proc/${id}/cmdline`).replaceAll('\0', ' ').trim()]));
}

/** A file of a process, nothing where it has ended meanwhile. */
function contents(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
