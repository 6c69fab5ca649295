import { expect } from 'chai';
import { RandomState } from '../../src/common/random.ts';
import { auroc } from '../../src/evaluation/metrics.ts';
import { type RunScores, regrets, weightedAurocs } from './regret.ts';

const random = new RandomState(3);
const drawn = (count: number, mean: number) =>
  Float64Array.from({ length: count }, () => mean + random.normal());

describe('regret', () => {
  it('is the best AUROC on each set less the own, on average and at most', () => {
    const run: RunScores = {
      name: 'run',
      sets: [
        { name: 'a', kind: 'near' },
        { name: 'b', kind: 'far' },
      ],
      methods: ['MSP', 'KNN', 'guard'].map((name, m) => ({
        name,
        ind: drawn(200, 0),
        sets: [drawn(150, 1 + m / 2), drawn(100, 2 - m)],
      })),
    };
    const of = regrets([run], () => true, ['guard'], { resamples: 40, seed: 1 });
    const table = run.methods.map(({ ind, sets }) => sets.map((ood) => 100 * auroc(ind, ood)));
    const best = [0, 1].map((s) => Math.max(table[0][s], table[1][s]));
    run.methods.forEach(({ name }, m) => {
      const each = best.map((value, s) => value - table[m][s]);
      const { mean, largest, where } = of.get(name)!;
      expect(mean.value).to.be.closeTo((each[0] + each[1]) / 2, 1e-9);
      expect(largest.value).to.be.closeTo(Math.max(...each), 1e-9);
      expect(where).to.equal(each[0] > each[1] ? 'run/a' : 'run/b');
      expect(mean.low).to.be.below(mean.high);
    });
    // The guard is not in the panel: on the near set it is better than the best of it.
    const near = regrets([run], ({ kind }) => kind === 'near', ['guard'], { resamples: 5, seed: 1 });
    expect(near.get('guard')!.mean.value).to.be.below(0);
    expect(near.get('KNN')!.mean).to.deep.include({ value: 0 });
    expect(regrets([run], ({ kind }) => kind === 'shifted', [], { resamples: 5, seed: 1 }).size).to.equal(0);
  });

  it('weighs images as if they were there as often as they were drawn', () => {
    const ind = Float64Array.of(1, 2, 2, 5);
    const ood = Float64Array.of(2, 3, 0);
    const times = [Uint16Array.of(2, 0, 1, 1), Uint16Array.of(1, 0, 2)];
    const repeated = [Float64Array.of(1, 1, 2, 5), Float64Array.of(2, 0, 0)];
    const [value] = weightedAurocs(ind, ood, [times[0]], [times[1]]);
    expect(value).to.be.closeTo(auroc(repeated[0], repeated[1]), 1e-15);
  });
});
