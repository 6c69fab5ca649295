import { resolve } from 'node:path';
import type { File, h5wasm } from 'h5wasm/node';
import type { Advice, LaOodError } from './errors.ts';
import { writeAtomically } from './files.ts';

type Hdf5 = typeof h5wasm;

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

/** What is not asked of the library, or not waited for. */
export class Hdf5Refusal extends Error {}

/** The class of error in which a caller of HDF5 says what went wrong. */
type Failure = new (where: string, problem: string, remedy: Advice, cause?: unknown) => LaOodError;

/** Calls HDF5 on a file that is being written; its errors are told in one line. */
export type Hdf5Call = <T>(call: () => T) => T;

/**
 * Makes an HDF5 file, which appears at `path` when `write` is done. Its bytes depend on what is written alone.
 *
 * @param write fills the empty file; HDF5 is called through the function that it is handed
 * @throws Failure where HDF5 fails; what else `write` throws passes through
 */
export async function writeHdf5(
  Failure: Failure,
  path: string,
  write: (file: File, hdf5: Hdf5Call) => Promise<void> | void,
): Promise<void> {
  const library = await loadHdf5();
  const hdf5: Hdf5Call = (call) =>
    calling(Failure, path, 'cannot be written', 'is there space, and leave to write?', () =>
      withoutTimestamps(call),
    );
  await writeAtomically(path, async (part) => {
    // The oldest format: every HDF5 since 1.8 reads it, and it holds no timestamps but one for each dataset.
    const file = hdf5(() => new library.File(resolve(part), 'w', { libver: ['earliest', 'v110'] }));
    try {
      await write(file, hdf5);
    } catch (error) {
      closeQuietly(file);
      throw error;
    }
    hdf5(() => file.close());
  });
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
  Failure: Failure,
  path: string,
  problem: string,
  remedy: Advice,
  call: () => T,
): T {
  try {
    return call();
  } catch (error) {
    const reason = error instanceof Error && hdf5Reason(error);
    if (!reason) throw error;
    throw new Failure(path, `${problem} (${reason})`, remedy, error);
  }
}

/**
 * Lets the bytes of a file depend on what is written alone. HDF5 stores the time at which a dataset was made, and
 * h5wasm cannot be told not to; HDF5 asks `Date.now()` for it, which here stands still while the call lasts.
 */
function withoutTimestamps<T>(call: () => T): T {
  const { now } = Date;
  Date.now = () => 0;
  try {
    return call();
  } finally {
    Date.now = now;
  }
}

/** The cause at the bottom of an HDF5 error stack: the system's (`No space left on device`), or HDF5's own. */
function hdf5Reason(error: Error): string | undefined {
  const { message: stack, name } = error;
  if (error instanceof Hdf5Refusal) return stack;
  // A damaged file may make the library itself stumble.
  if (name === 'RuntimeError') return `the HDF5 library failed: ${stack}`;
  if (!stack.startsWith('HDF5-DIAG')) return undefined;
  const system = /error message = '([^']+)'/.exec(stack)?.[1];
  return (system ?? stack.match(/(?<=minor: ).*/g)?.at(-1) ?? 'unknown reason').trim();
}

/** After a failure closing may fail again; the first error is the one to tell. */
function closeQuietly(file: File): void {
  try {
    file.close();
  } catch {}
}
