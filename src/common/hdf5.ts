import type { h5wasm } from 'h5wasm/node';
import type { LaOodError } from './errors.ts';

export type Hdf5 = typeof h5wasm;

let loading: Promise<Hdf5> | undefined;

/** The HDF5 library (WebAssembly), loaded when it is first needed: that takes 0.1 s and 40 MB. */
export function loadHdf5(): Promise<Hdf5> {
  loading ??= (async () => {
    const { default: library } = await import('h5wasm/node');
    const module = await library.ready;
    module.activate_throwing_error_handler(); // else errors are only printed, and calls return as if nothing was wrong
    return library;
  })();
  return loading;
}

/**
 * Calls HDF5, and says its errors in one line.
 *
 * @param Failure the class of the error
 * @param path the file, for the message
 * @param problem what could not be done: `cannot be read`
 * @throws Failure where HDF5 fails; what else the call throws passes through
 */
export function calling<T>(
  Failure: new (where: string, problem: string, remedy: string) => LaOodError,
  path: string,
  problem: string,
  remedy: string,
  call: () => T,
): T {
  try {
    return call();
  } catch (error) {
    const reason = error instanceof Error && hdf5Reason(error);
    if (!reason) throw error;
    throw new Failure(path, `${problem} (${reason})`, remedy);
  }
}

/**
 * Lets the bytes of a file depend on what is written alone. HDF5 stores the time at which a dataset was made, and
 * h5wasm cannot be told not to; HDF5 asks `Date.now()` for it, which here stands still while the call lasts.
 */
export function withoutTimestamps<T>(call: () => T): T {
  const { now } = Date;
  Date.now = () => 0;
  try {
    return call();
  } finally {
    Date.now = now;
  }
}

/** The cause at the bottom of an HDF5 error stack: the system's (`No space left on device`), or HDF5's own. */
function hdf5Reason({ message: stack, name }: Error): string | undefined {
  // A damaged file may make the library itself stumble.
  if (name === 'RuntimeError') return `the HDF5 library failed: ${stack}`;
  if (!stack.startsWith('HDF5-DIAG')) return undefined;
  const system = /error message = '([^']+)'/.exec(stack)?.[1];
  return (system ?? stack.match(/(?<=minor: ).*/g)?.at(-1) ?? 'unknown reason').trim();
}
