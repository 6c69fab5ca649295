import type { Tensors } from './graph-session.ts';
import type { SessionPool } from './session-pool.ts';

const CANDIDATES = [4, 8, 16, 32, 64, 128];

/**
 * The batch size with which a graph runs the most samples a second here: small batches keep a network's intermediate
 * values in the processor's caches (densenet100 is twice as fast at 8 as at 128), large ones fill a GPU. Doubles the
 * size from 4 on, and stops once it has become clearly slower.
 *
 * @param feedsOf inputs of the given number of samples
 */
export async function fastestBatchSize(
  pool: SessionPool,
  feedsOf: (count: number) => Tensors,
): Promise<number> {
  let best = { size: CANDIDATES[0], rate: 0 };
  for (const size of CANDIDATES) {
    const feeds = feedsOf(size);
    const runAll = () => Promise.all(Array.from({ length: pool.size }, () => pool.run(feeds)));
    await runAll();
    let rate = 0;
    for (let round = 0; round < 3; round++) {
      const start = performance.now();
      await runAll();
      rate = Math.max(rate, size / (performance.now() - start));
    }
    if (rate > best.rate) best = { size, rate };
    else if (rate < 0.8 * best.rate) break;
  }
  return best.size;
}
