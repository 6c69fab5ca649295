import { expect } from 'chai';
import fc from 'fast-check';
import { NeighborSearch } from '../../src/detectors/neighbors.ts';
import { arbitrarySamples, gaussian, type Samples, squaredDistance } from './samples.ts';

describe('NeighbourSearch', () => {
  let search: NeighborSearch;
  before(async () => {
    search = await NeighborSearch.open();
  });

  it('finds the nearest of random and degenerate points, as trying all pairs does', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrarySamples(300, [1, 2, 8, 60]), fc.nat(30), async (samples, wanted) => {
        await expectNearest(search, samples, Math.min(wanted, samples.count - 1));
      }),
      { numRuns: 60 },
    );
  });

  it('finds them in a tight cluster far out, which float32 products cannot tell apart', async () => {
    const samples = gaussian(400, 64, 2);
    for (let i = 0; i < 200 * 64; i++) samples.features[i] = 100 + 1e-3 * samples.features[i];
    await expectNearest(search, samples, 13);
  });

  it('finds them among more copies than it ranks', async () => {
    const samples = gaussian(600, 4, 3);
    for (let i = 1; i < 500; i++) samples.features.copyWithin(i * 4, 4 * (i % 7), 4 * (i % 7) + 4);
    await expectNearest(search, samples, 14);
  });

  it('takes the lower index first on ties', async () => {
    const line: Samples = { features: Float64Array.of(0, 1, 2, 3, 4), width: 1, count: 5 };
    const { indices, distances } = await search.nearest(line.features, 1, 2);
    expect([...indices]).to.deep.equal([1, 2, 0, 2, 1, 3, 2, 4, 3, 2]);
    expect([...distances]).to.deep.equal([1, 2, 1, 1, 1, 1, 1, 1, 1, 2]);
  });
});

async function expectNearest(search: NeighborSearch, samples: Samples, k: number): Promise<void> {
  const { features, width, count } = samples;
  const { indices, distances } = await search.nearest(features, width, k);
  expect([indices.length, distances.length]).to.deep.equal([count * k, count * k]);
  for (let i = 0; i < count; i++) {
    const all = Float64Array.from({ length: count }, (_, j) => Math.sqrt(squaredDistance(samples, i, j)));
    const found = indices.subarray(i * k, (i + 1) * k);
    const own = distances.subarray(i * k, (i + 1) * k);
    const expected = all.filter((_, j) => j !== i).sort();
    expect(new Set(found).add(i).size, `neighbours of ${i} are others, each once`).to.equal(k + 1);
    // An assertion for each would take longer than the search.
    const wrong = own.findIndex((distance, t) => !(Math.abs(all[found[t]] - distance) <= 1e-12 * distance));
    expect(wrong, `distance of ${i} that is not its neighbour's`).to.equal(-1);
    const farther = own.findIndex((distance, t) => !(Math.abs(expected[t] - distance) <= 1e-6 * distance));
    expect(farther, `neighbour of ${i} that is not the nearest`).to.equal(-1);
  }
}
