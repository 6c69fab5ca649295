import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { Tensor } from '../../src/common/tensor.ts';
import { fastestBatchSize } from '../../src/runtime/batch-size.ts';
import { SessionPool } from '../../src/runtime/session-pool.ts';
import { rejection } from '../data/rejection.ts';
import { numbers, smallNet } from '../graph/models.ts';

describe('SessionPool', () => {
  const feeds = (images: number, seed = 1): { image: Tensor } => ({
    image: { dtype: 'float32', shape: [images, 3, 8, 8], data: numbers(192 * images, seed) },
  });
  let pool: SessionPool;
  before(async () => {
    pool = await SessionPool.open(smallNet(), 'cpu');
  });
  after(() => pool.close());

  it('has a session a core, which give the same numbers', async () => {
    expect([pool.device, pool.size]).to.deep.equal(['cpu', availableParallelism()]);
    const runs = await Promise.all(Array.from({ length: 3 * pool.size }, () => pool.run(feeds(2))));
    for (const { logits } of runs) expect(logits).to.deep.equal(runs[0].logits);
  });

  it('gives each run its own outputs', async () => {
    const seeds = Array.from({ length: 2 * pool.size }, (_, i) => i + 1);
    const alone = [];
    for (const seed of seeds) alone.push(await pool.run(feeds(1, seed)));
    expect(await Promise.all(seeds.map((seed) => pool.run(feeds(1, seed))))).to.deep.equal(alone);
  });

  it('goes on after a run that failed', async () => {
    const wrong = { image: { ...feeds(1).image, shape: [1, 3, 64, 1] } };
    const all = Array.from({ length: pool.size }, () => rejection(pool.run(wrong), Error));
    await Promise.all(all);
    expect((await pool.run(feeds(1))).logits.shape).to.deep.equal([1, 5]);
  });

  it('is measured with batches of rising size, on every session', async () => {
    const asked: number[] = [];
    const size = await fastestBatchSize(pool, (count) => {
      asked.push(count);
      return feeds(count);
    });
    expect(asked).to.deep.equal([4, 8, 16, 32, 64, 128].slice(0, asked.length));
    expect(asked).to.include(size);
  });
});

describe('fastestBatchSize', () => {
  it('takes the fastest size, and stops once a larger one is clearly slower', async () => {
    // Stands in for a network that falls out of the processor's caches with 32 images.
    const milliseconds: Readonly<Record<number, number>> = { 4: 20, 8: 20, 16: 20, 32: 120 };
    const asked: number[] = [];
    const run = async ({ image }: { image: Tensor }) => sleep(milliseconds[image.shape[0]]);
    const size = await fastestBatchSize(
      { size: 1, largestBatch: 128, run } as unknown as SessionPool,
      (count) => {
        asked.push(count);
        return { image: { dtype: 'float32', shape: [count], data: new Float32Array(count) } };
      },
    );
    expect(asked).to.deep.equal([4, 8, 16, 32]);
    expect(size).to.equal(16);
  });
});
