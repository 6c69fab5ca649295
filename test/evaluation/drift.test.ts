import { expect } from 'chai';
import { RandomState } from '../../src/common/random.ts';
import { DriftDetector } from '../../src/index.ts';

describe('DriftDetector', () => {
  const normal = (random: RandomState, length: number) =>
    Float64Array.from({ length }, () => random.normal());

  it('gives p-values that are uniform and independent, ties or not, whatever the calibration set', () => {
    for (const round of [(x: number) => x, Math.round]) {
      const random = new RandomState(3);
      const pValues: number[] = [];
      for (let run = 0; run < 20; run++) {
        const drift = new DriftDetector(normal(random, 50).map(round), 1e9, new RandomState(run));
        for (let i = 0; i < 500; i++) pValues.push(drift.take(round(random.normal())).pValue);
      }
      const sorted = [...pValues].sort((a, b) => a - b);
      const distance = Math.max(...sorted.map((p, i) => Math.abs(p - (i + 0.5) / sorted.length)));
      // Kolmogorov and Smirnov's at 0.1 %.
      expect(distance).to.be.lessThan(1.95 / Math.sqrt(pValues.length));
      const pairs = pValues.slice(1).map((p, i) => (p - 0.5) * (pValues[i] - 0.5));
      const correlation = (12 * pairs.reduce((a, b) => a + b, 0)) / pairs.length;
      expect(Math.abs(correlation)).to.be.lessThan(4 / Math.sqrt(pairs.length));
    }
  });

  it('raises false alarms no oftener than it says', () => {
    const random = new RandomState(5);
    const [runs, length, every] = [40, 2000, 500];
    let alarms = 0;
    for (let run = 0; run < runs; run++) {
      const drift = new DriftDetector(normal(random, 200), every, new RandomState(run));
      for (let i = 0; i < length; i++) if (drift.take(random.normal()).alarm) alarms++;
    }
    expect(alarms).to.be.greaterThan(0);
    expect(alarms / (runs * length)).to.be.lessThan(1 / every);
  });

  it('finds a shift that no single score shows, up or down, and soon one that each shows', () => {
    for (const [shift, within] of [
      [0.5, 200],
      [-0.5, 200],
      [3, 12],
      [Number.NaN, 12],
    ]) {
      const random = new RandomState(9);
      const drift = new DriftDetector(normal(random, 2000), 10_000, random);
      for (let i = 0; i < 1000; i++) expect(drift.take(random.normal()).alarm).to.equal(false);
      let taken = 1;
      while (!drift.take(random.normal() + shift).alarm) taken++;
      expect(taken, `${shift}`).to.be.at.most(within);
    }
  });
});
