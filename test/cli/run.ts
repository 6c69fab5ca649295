import { type ChildProcess, spawn } from 'node:child_process';
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
const program = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

/** What starts `la-ood`. */
export function commandLine(args: readonly string[]): string[] {
  return [process.execPath, program, ...args];
}

/** Starts `la-ood`, with no terminal around it. */
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
    process_.on('close', (exitCode) => resolve({ exitCode, ...texts }));
  });
  return { process: process_, finished };
}

/** Runs `la-ood` to its end. */
export function laOod(...args: string[]): Promise<Finished> {
  return start(args).finished;
}

/** Runs a command that must succeed, and gives what it prints under `--json`. */
export async function json<T>(...args: string[]): Promise<T> {
  const { exitCode, stdout, stderr } = await laOod(...args, '--json');
  if (exitCode !== 0) throw new Error(`la-ood ${args.join(' ')} exited with ${exitCode}: ${stderr}`);
  return JSON.parse(stdout);
}
