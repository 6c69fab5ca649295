import { mkdtempSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LaOodError } from '../../src/common/errors.ts';
import { RandomState } from '../../src/common/random.ts';
import { mutated, mutatedJson } from './mutate.ts';
import { type Reader, readBytes, readers } from './readers.ts';

/*
 * A process that reads one mutated file after the other, and tells of each in a line: worker.ts READER SEED FROM, where FROM
 * is the number of the first case.
 */

/** The pipe that lines go to; a write that is done at once costs less than a message between processes. */
export const TOLD = 3;

/** The process begins; or the next case ended, in an error that is a finding, or in one or none as it should. */
export type Told =
  | { readonly begins: true }
  | { readonly refused: boolean; readonly problem?: string; readonly peakMiB: number };

/** Case `number` of a seed: always the same bytes. */
export function caseOf(
  { isJson }: Reader,
  seeds: readonly Uint8Array[],
  seed: number,
  number: number,
): Buffer {
  const random = new RandomState((seed * 0x9e3779b1 + number) >>> 0);
  const choose = () => seeds[random.integer(seeds.length - 1)];
  // Of bytes that are changed JSON.parse refuses nearly all.
  if (isJson && number % 4 > 0) return mutatedJson(choose(), random);
  return mutated(choose(), random, choose());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name, seed, from] = process.argv.slice(2);
  await readCases(name, Number(seed), Number(from));
}

async function readCases(name: string, seed: number, from: number): Promise<void> {
  const reader = readers[name];
  const seeds = await reader.seeds();
  const path = join(mkdtempSync(join(process.env.LA_OOD_TEST_FOLDER!, 'cases-')), reader.name ?? 'file');
  // Where nobody reads any more this throws, and the process ends.
  const tell = (told: Told) => writeSync(TOLD, `${JSON.stringify(told)}\n`);
  // Valid files are read: else nothing would be shown.
  if (from === 0) for (const bytes of seeds) await readBytes(reader, path, bytes);
  tell({ begins: true });
  for (let number = from; ; number++) {
    let problem: string | undefined;
    let refused = false;
    try {
      await readBytes(reader, path, caseOf(reader, seeds, seed, number));
    } catch (error) {
      refused = error instanceof LaOodError;
      if (!refused) problem = String((error as Error).stack ?? error);
      else if (/\p{Cc}/u.test((error as Error).message)) problem = 'its message holds control characters';
    }
    // What nobody awaits comes in.
    if (number % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    tell({ refused, problem, peakMiB: process.resourceUsage().maxRSS / 1024 });
  }
}
