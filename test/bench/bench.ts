import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../../src/common/errors.ts';

/** Measures one thing of ours beside its counterpart, in one run, and prints both. */
export interface Bench {
  /** One line for `--help`. */
  readonly about: string;
  /** Where the counterpart is in Python. `--ours`, of the benches that have it, leaves it out. */
  readonly python: boolean;
  readonly options: Readonly<Record<string, BenchOption>>;
  run(values: BenchValues): Promise<void>;
}

export interface BenchOption {
  readonly about: string;
  readonly default?: string;
  /** An option without a value. */
  readonly flag?: true;
}

/** What was given for each option, or its default. */
export type BenchValues = Readonly<Record<string, string | undefined>>;

/**
 * The value of an option that is a count.
 *
 * @throws UsageError where it is not a positive integer
 */
export function count(values: BenchValues, name: string): number {
  const number = Number(values[name]);
  if (!Number.isInteger(number) || number < 1)
    throw new UsageError(`--${name}`, `${values[name]} is not a positive integer`);
  return number;
}

/** Works in a folder that is removed afterwards. */
export async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'la-ood-bench-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The seconds that some work takes, and what it gives. */
export async function timed<T>(work: () => Promise<T>): Promise<{ seconds: number; result: T }> {
  const start = performance.now();
  const result = await work();
  return { seconds: (performance.now() - start) / 1000, result };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** `81.3 (79.8 to 84.0)`: the median, the least and the largest; a single value alone. */
export function spread(values: readonly number[], digits: number): string {
  const text = median(values).toFixed(digits);
  if (values.length === 1) return text;
  return `${text} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;
}

/** A file of float32 numbers in the machine's byte order, as NumPy's `tofile` writes it. */
export async function readFloat32(path: string): Promise<Float32Array> {
  const bytes = await readFile(path);
  return new Float32Array(Uint8Array.from(bytes).buffer);
}
