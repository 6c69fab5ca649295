import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** What a finished `la-ood` left behind. */
export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running `la-ood`. */
export interface Running {
  readonly process: ChildProcess;
  readonly finished: Promise<Finished>;
}

/** As it is built before the tests: see `test/setup.ts`. */
const built = new URL('../../dist/src/cli/', import.meta.url);

/**
 * Runs a command line to its end in this process, with no terminal around it, which saves the start of a process. What
 * concerns signals, standard input or the process itself is tested with `start`.
 */
export async function laOod(...args: string[]): Promise<Finished> {
  const { runCommandLine }: typeof import('../../src/cli/run-command-line.ts') = await import(
    new URL('run-command-line.js', built).href
  );
  const { progressDisplay }: typeof import('../../src/cli/progress-display.ts') = await import(
    new URL('progress-display.js', built).href
  );
  const [out, err] = [collector(), collector()];
  const progress = progressDisplay(err.stream);
  const exitCode = await runCommandLine(args, { stdout: out.stream, stderr: err.stream, progress });
  return { exitCode, stdout: out.text(), stderr: err.text() };
}

/** Runs a command that must succeed, and gives what it prints under `--json`. */
export async function json<T>(...args: string[]): Promise<T> {
  const { exitCode, stdout, stderr } = await laOod(...args, '--json');
  if (exitCode !== 0) throw new Error(`la-ood ${args.join(' ')} exited with ${exitCode}: ${stderr}`);
  return JSON.parse(stdout);
}

/** What starts `la-ood`. */
export function commandLine(args: readonly string[]): string[] {
  return [process.execPath, fileURLToPath(new URL('main.js', built)), ...args];
}

/** Starts `la-ood` as a process, with no terminal around it. */
export function start(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  input = '',
): Running {
  const [node, ...rest] = commandLine(args);
  const process_ = spawn(node, rest, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, LA_OOD_DEBUG: '', ...env },
  });
  process_.stdin.on('error', () => {}).end(input);
  const finished = new Promise<Finished>((resolve, reject) => {
    const texts = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      process_[name].setEncoding('utf8').on('data', (text: string) => {
        texts[name] += text;
      });
    process_.on('error', reject);
    // What a signal ended has the exit code that a shell gives it.
    process_.on('close', (exitCode, signal) =>
      resolve({ exitCode: exitCode ?? 128 + constants.signals[signal!], ...texts }),
    );
  });
  return { process: process_, finished };
}

/** Waits until something holds that a running `la-ood` brings about. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(10);
}

function collector(): { stream: Writable; text: () => string } {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  return { stream, text: () => text };
}
