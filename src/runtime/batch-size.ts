import type { OnProgress } from '../common/progress.ts';
import type { Tensors } from './graph-session.ts';
import type { SessionPool } from './session-pool.ts';

const CANDIDATES = [1, 2, 4, 8, 16, 32, 64, 128];

/** Where they fit into the memory, smaller batches are not tried. */
const SMALLEST = 4;

/** Seconds that looking for the batch size may take. */
const LONGEST = 15;

/** A larger batch has to be faster by this factor to be worth its memory. */
const WORTHWHILE = 1.03;

/**
 * The batch size with which a graph runs the most samples a second here, within the pool's memory: small batches keep a
 * network's intermediate values in the processor's caches (densenet100 is twice as fast at 8 as at 128), large ones fill a
 * GPU. Doubles the size from 4 on, and stops once that brings nothing, or the time is up.
 *
 * @param feedsOf inputs of the given number of samples
 */
export async function fastestBatchSize(
  pool: SessionPool,
  feedsOf: (count: number) => Tensors,
  onProgress?: OnProgress,
): Promise<number> {
  const fitting = CANDIDATES.filter((size) => size <= pool.largestBatch);
  const candidates = fitting.filter((size) => size >= Math.min(SMALLEST, fitting.at(-1)!));
  const tell = (done: number) =>
    onProgress?.({ task: 'measuring the batch size', done, total: candidates.length, unit: 'sizes' });
  let best = { size: candidates[0], rate: 0 };
  const begin = performance.now();
  tell(0);
  for (const [at, size] of candidates.entries()) {
    const feeds = feedsOf(size);
    const seconds = async () => {
      const start = performance.now();
      await Promise.all(Array.from({ length: pool.size }, () => pool.run(feeds)));
      return (performance.now() - start) / 1000;
    };
    const first = await seconds();
    let least = await seconds();
    for (let round = 0; round < 2 && first < 1; round++) least = Math.min(least, await seconds());
    const rate = size / least;
    const isBetter = rate > WORTHWHILE * best.rate;
    if (isBetter) best = { size, rate };
    tell(at + 1);
    const spent = (performance.now() - begin) / 1000;
    // The next size takes about twice as long.
    if (!isBetter || spent + 4 * least > LONGEST) break;
  }
  tell(candidates.length);
  return best.size;
}
