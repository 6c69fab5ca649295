import { expect } from 'chai';
import { RandomState } from '../../src/common/random.ts';
import type { DriftState } from '../../src/evaluation/drift.ts';
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

  it('draws a p-value from the ranks that a score may have among the others', () => {
    for (let seed = 0; seed < 50; seed++) {
      const p = (score: number) =>
        new DriftDetector([1, 2, 2, 3], 1e9, new RandomState(seed)).take(score).pValue;
      expect(p(4)).to.be.within(0, 1 / 5);
      expect(p(2)).to.be.within(1 / 5, 4 / 5);
      expect(p(0)).to.be.within(4 / 5, 1);
    }
  });

  it('weighs p-values as Shiryaev and Roberts do, and begins anew after a drift', () => {
    const random = new RandomState(2);
    const every = 50;
    const drift = new DriftDetector(normal(random, 100), every, random);
    let pValues: number[] = [];
    let alarms = 0;
    let wasDrifting = false;
    for (let i = 0; i < 600; i++) {
      const { pValue, evidence, alarm, since } = drift.take(random.normal() + (i % 100 < 50 ? 0 : 2));
      if (wasDrifting) {
        expect(alarm).to.equal(false);
        wasDrifting = since !== undefined;
        pValues = [];
        continue;
      }
      pValues.push(pValue);
      // Each start of a change that there may have been: the product of the bets since.
      const statistics = [0.1, 0.25, 0.5, 0.75, 0.9].flatMap((exponent) =>
        [(p: number) => p, (p: number) => 1 - p].map((side) => {
          let [sum, product] = [0, 1];
          for (const p of pValues.toReversed()) sum += product *= exponent * side(p) ** (exponent - 1);
          return sum;
        }),
      );
      const expected = statistics.reduce((a, b) => a + b, 0) / 10 / every;
      expect(evidence / expected).to.be.closeTo(1, 1e-9);
      expect(alarm).to.equal(evidence >= 1);
      wasDrifting = alarm;
      if (alarm) alarms++;
    }
    expect(alarms).to.be.greaterThan(1);
  });

  it('says since when a stream drifts as long as it does, does not get used to it, and tells its end', () => {
    for (const shift of [4, 1.5, -1.5]) {
      const random = new RandomState(4);
      const drift = new DriftDetector(normal(random, 1000), 10_000, random);
      const taken = Array.from({ length: 3000 }, (_, i) =>
        drift.take(random.normal() + (i >= 500 && i < 2000 ? shift : 0)),
      );
      const alarms = taken.flatMap(({ alarm }, i) => (alarm ? [i + 1] : []));
      expect(alarms, `${shift}`).to.have.length(1);
      expect(alarms[0]).to.be.within(501, 560);
      expect(taken[alarms[0]].since).to.be.within(480, 515);
      const drifting = taken.flatMap(({ since }, i) => (since === undefined ? [] : [i + 1]));
      expect(drifting).to.have.length(drifting.at(-1)! - alarms[0] + 1);
      expect(drifting.at(-1)).to.be.within(2000, 2150);
      const unlikely = (from: number, to: number) =>
        taken.slice(from, to).filter(({ pValue: p }) => Math.min(p, 1 - p) < 0.05).length / (to - from);
      expect(unlikely(1500, 2000)).to.be.closeTo(unlikely(alarms[0], 1000), 0.07);
      expect(unlikely(2200, 3000)).to.be.closeTo(0.1, 0.04);
    }
  });

  it('does not rank among the scores of a drift, and goes on to among those before it', () => {
    // A usual score 20 times, one far out until a drift is found and 20 times more, and the usual one until it is over.
    for (const extreme of [1000, -1000])
      for (let seed = 0; seed < 5; seed++) {
        const calibration = Array.from({ length: 99 }, (_, i) => i + 1);
        const drift = new DriftDetector(calibration, 100, new RandomState(seed));
        const takeUntil = (score: number, holds: (state: DriftState) => boolean) => {
          const states: DriftState[] = [];
          do states.push(drift.take(score));
          while (!holds(states.at(-1)!));
          return states;
        };
        for (let i = 0; i < 20; i++) expect(drift.take(50.5).alarm).to.equal(false);
        const found = takeUntil(extreme, ({ alarm }) => alarm);
        expect(found.at(-1)!.since).to.equal(21);
        for (let i = 0; i < 20; i++) {
          // A single rank among 119 scores: it has no equal among them.
          const { pValue } = drift.take(extreme);
          expect(extreme > 0 ? pValue : 1 - pValue).to.be.within(0, 1 / 120);
        }
        const usual = takeUntil(50.5, ({ since }) => since === undefined).map(({ pValue }) => pValue);
        // Between 49 and 50 of the calibration scores, tied with 20 of the stream.
        for (const p of usual) expect(p).to.be.within(49 / 120, 70 / 120);
        const again = takeUntil(extreme, ({ alarm }) => alarm);
        expect(again.at(-1)!.since).to.equal(21 + found.length + 20 + usual.length);
      }
  });
});
