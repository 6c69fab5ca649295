import { expect } from 'chai';
import { RandomState } from '../../src/common/random.ts';
import { auroc } from '../../src/evaluation/metrics.ts';
import type { GuardedRun, GuardedSet } from './guard-runs.ts';
import { guardRunTables, guardSummary } from './guard-tables.ts';

/** Of every image of these sets, and of the InD images, a number for each method, and what follows from it. */
describe('the tables of a guard', () => {
  const random = new RandomState(0);
  const drawn = (images: number, shift: number) =>
    Float64Array.from({ length: images }, () => random.normal() + shift);
  const names = ['MSP', 'KNN', '0.1.0', 'content', 'conditions', 'decision'];

  /** @param shifts how far each method has each set's images from the InD images */
  function madeRun(name: string, shifts: Readonly<Record<string, readonly number[]>>): GuardedRun {
    const sets = Object.keys(shifts);
    const methods = names.map((method, m) => ({
      name: method,
      ind: drawn(200, 0),
      sets: sets.map((set) => drawn(100, shifts[set][m])),
    }));
    const guarded = sets.map((set) => madeSet(set, 100));
    return {
      ...{ name, sets, methods, guarded, calibrationImages: 500, further: madeSet('further', 200) },
      sets: guarded,
      panel: ['MSP', 'KNN'],
      others: ['0.1.0'],
    };
  }

  /** A quarter of the images has unusual conditions, three in five of those by the right name; every second is classified right. */
  function madeSet(name: string, images: number): GuardedSet {
    const quarter = images / 4;
    const p = Float64Array.from({ length: images }, (_, i) => (i < quarter ? 0.05 : 0.5));
    return {
      ...{ name, images, pValues: { content: p.map(() => 1), conditions: p, decision: p } },
      conditions: Array.from(p, (_, i) =>
        i < quarter ? (i < 0.6 * quarter ? 'noisier' : 'darker') : undefined,
      ),
      ...(name !== 'unknown' && { isRight: Array.from(p, (_, i) => i % 2 === 0) }),
    };
  }

  const run = madeRun('open-set', {
    'noise@.08': [0, 0.5, 3, 0.2, 2, 1],
    unknown: [1, 2, 0.5, 1.9, 0, 1.8],
  });

  it('say what is asked of the figures, and where it is not so', () => {
    const text = guardSummary([run], { resamples: 5, seed: 0 });
    const of = (method: string, set: number) => {
      const { ind, sets } = run.methods[names.indexOf(method)];
      return 100 * auroc(ind, sets[set]);
    };
    const cells = text.split('\n').find((line) => line.startsWith('| unknown |'))!;
    expect(cells).to.include(`| ${of('KNN', 1).toFixed(1)} /`);
    expect(cells).to.include(`| ${of('decision', 1).toFixed(1)} /`);
    expect(cells).to.match(new RegExp(` ${(of('KNN', 1) - of('decision', 1)).toFixed(1)} open-set \\|$`));
    expect(text).to.include(`points: unknown (open-set ${(of('KNN', 1) - of('content', 1)).toFixed(1)}).`);
    expect(text).to.include('in % of how many: noise .08 (open-set 60 of 25).');
    const lost = (of('0.1.0', 0) - of('decision', 0)).toFixed(1);
    expect(text).to.include(
      `(1 of 2 pairs) where its own conditions score does not, for content adds its noise and conditions count from one deviation on: none; and where that does too, for no direction points there, or the early maps see little of it: noise .08 (open-set ${lost}).`,
    );
    expect(text).to.include('| noise .08 | 50 | 0 | 26 | 26 |');
    expect(text).to.include('chosen on open-set and the sets unknown,');
  });

  it('give every set of every run, and its own false alarms', () => {
    const text = guardRunTables([run]);
    expect(text).to.include('in %: content 0, conditions 25, decision 25');
    expect(text.split('\n').filter((line) => line.startsWith('| '))).to.have.length(3);
  });
});
