import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { LaOodError } from '../../src/common/errors.ts';
import { RandomState } from '../../src/common/random.ts';
import { mutated } from './mutate.ts';
import { readBytes, readers } from './readers.ts';

/** A process that reads one mutated file after the other, and tells of each before and after. */

/** What the process is started with. */
export interface Task {
  readonly reader: string;
  readonly seed: number;
  /** The number of the first case. */
  readonly from: number;
}

/** A case has begun; or it ended, in an error that is a finding, or in one or none as it should. */
export type Told =
  | { readonly begun: number }
  | {
      readonly ended: number;
      readonly refused: boolean;
      readonly problem?: string;
      readonly peakMiB: number;
    };

process.once('message', async ({ reader: name, seed, from }: Task) => {
  const reader = readers[name];
  const seeds = await reader.seeds();
  const folder = await mkdtemp(join(process.env.LA_OOD_TEST_FOLDER!, 'cases-'));
  process.on('disconnect', () => process.exit());
  const path = join(folder, reader.name ?? 'file');
  // Valid files are read: else nothing would be shown.
  if (from === 0) for (const bytes of seeds) await readBytes(reader, path, bytes);
  const tell = (told: Told) => process.send!(told);
  for (let number = from; ; number++) {
    const bytes = caseOf(seeds, seed, number);
    tell({ begun: number });
    let problem: string | undefined;
    let refused = false;
    try {
      await readBytes(reader, path, bytes);
    } catch (error) {
      refused = error instanceof LaOodError;
      if (!refused) problem = String((error as Error).stack ?? error);
      else if (/\p{Cc}/u.test((error as Error).message)) problem = 'its message holds control characters';
    }
    tell({ ended: number, refused, problem, peakMiB: process.resourceUsage().maxRSS / 1024 });
    // Messages go out, and what nobody awaits comes in.
    if (number % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
});

/** Case `number` of a seed: always the same bytes. */
export function caseOf(seeds: readonly Uint8Array[], seed: number, number: number): Buffer {
  const random = new RandomState((seed * 0x9e3779b1 + number) >>> 0);
  const choose = () => seeds[random.integer(seeds.length - 1)];
  return mutated(choose(), random, choose());
}
