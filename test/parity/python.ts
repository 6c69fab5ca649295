import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/**
 * Runs `test/parity/<script>` in the Python environment that `test/parity/run.sh` made, and gives what it printed,
 * parsed as JSON. Large arrays go through files: pass their paths as arguments.
 */
export function python<T>(script: string, ...args: string[]): Promise<T> {
  return pythonWithInput(script, '', ...args);
}

/** As `python`; the script finds `input` on its standard input, which takes more than a command line does. */
export async function pythonWithInput<T>(script: string, input: string, ...args: string[]): Promise<T> {
  const interpreter = process.env.LA_OOD_PYTHON;
  if (!interpreter)
    throw new Error('LA_OOD_PYTHON is not set: run the parity tests with npm run test:parity');
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(interpreter, [path, ...args]);
  child.stdin.end(input);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  if (code !== 0) throw new Error(`${script} failed: ${stderr}`);
  return JSON.parse(stdout) as T;
}
