import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Runs `test/parity/<script>` in the Python environment that `test/parity/run.sh` made, and gives what it printed,
 * parsed as JSON. Large arrays go through files: pass their paths as arguments.
 */
export async function python<T>(script: string, ...args: string[]): Promise<T> {
  const interpreter = process.env.LA_OOD_PYTHON;
  if (!interpreter)
    throw new Error('LA_OOD_PYTHON is not set: run the parity tests with npm run test:parity');
  const path = fileURLToPath(new URL(script, import.meta.url));
  const { stdout } = await run(interpreter, [path, ...args], { maxBuffer: 1 << 28 });
  return JSON.parse(stdout) as T;
}
