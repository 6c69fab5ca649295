import { expect } from 'chai';
import { RandomState } from '../../src/common/random.ts';
import { bootstrapIntervals, quantile } from '../../src/evaluation/bootstrap.ts';
import { computeMetrics } from '../../src/evaluation/metrics.ts';

describe('bootstrap intervals', () => {
  const random = new RandomState(5);
  const normal = (count: number, mean: number) =>
    Float64Array.from({ length: count }, () => mean + random.normal());
  const ind = normal(400, 0);
  const ood = normal(300, 1);

  it('hold the metric and are as wide as theory says', () => {
    const metrics = computeMetrics(ind, ood);
    const intervals = bootstrapIntervals(ind, ood, { seed: 1 });
    for (const metric of Object.keys(metrics) as (keyof typeof metrics)[])
      expect(metrics[metric]).to.be.within(intervals[metric].low, intervals[metric].high);
    // Hanley and McNeil 1982, standard error of the AUROC
    const a = metrics.auroc;
    const q1 = a / (2 - a);
    const q2 = (2 * a * a) / (1 + a);
    const variance = (a * (1 - a) + 299 * (q1 - a * a) + 399 * (q2 - a * a)) / (300 * 400);
    const width = intervals.auroc.high - intervals.auroc.low;
    expect(width / (2 * 1.96 * Math.sqrt(variance))).to.be.within(0.85, 1.15);
  });

  it('are the same for the same seed, and narrower for less confidence', () => {
    const options = { resamples: 200, seed: 3 };
    const intervals = bootstrapIntervals(ind, ood, options);
    expect(bootstrapIntervals(ind, ood, options)).to.deep.equal(intervals);
    expect(bootstrapIntervals(ind, ood, { ...options, seed: 4 })).to.not.deep.equal(intervals);
    const narrow = bootstrapIntervals(ind, ood, { ...options, confidence: 0.5 });
    expect(narrow.auroc.low).to.be.above(intervals.auroc.low);
    expect(narrow.auroc.high).to.be.below(intervals.auroc.high);
  });

  it('are points where the sets are apart or all scores are equal', () => {
    const apart = bootstrapIntervals(Float32Array.of(1, 2), Float32Array.of(3, 4, 5), { resamples: 50 });
    for (const interval of [apart.auroc, apart.auprOut, apart.auprIn])
      expect(interval).to.deep.equal({ low: 1, high: 1 });
    expect(apart.fprAt95Tpr).to.deep.equal({ low: 0, high: 0 });
    const equal = bootstrapIntervals(new Float32Array(4), new Float32Array(5), { resamples: 50 });
    expect(equal.auroc).to.deep.equal({ low: 0.5, high: 0.5 });
  });
});

describe('quantile', () => {
  it('lies between order statistics as far as its share says', () => {
    const ascending = Float64Array.of(1, 2, 10, 50);
    for (const [share, value] of [
      [0, 1],
      [0.25, 1.75],
      [0.5, 6],
      [0.9, 38],
      [1, 50],
    ])
      expect(quantile(ascending, share)).to.be.closeTo(value, 1e-12);
    expect(quantile(Float64Array.of(3), 0.025)).to.equal(3);
  });
});
