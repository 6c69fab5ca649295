import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { RandomState } from '../../src/common/random.ts';
import { type BaselineScores, baselineScores } from '../../src/evaluation/baselines.ts';
import { computeMetrics, type Metrics } from '../../src/evaluation/metrics.ts';
import { python } from './python.ts';

const TOLERANCE = 1e-9;

describe('metrics beside scikit-learn', () => {
  const random = new RandomState(11);
  const sizes = [1, 2, 3, 10, 19, 20, 21, 40, 100, 101, 997, 2000];
  /** Untied, rounded to a few values, and a sum of both kinds with many ties at the ends. */
  const kinds = {
    untied: (mean: number) => mean + random.normal(),
    tied: (mean: number) => Math.round(mean + random.normal()),
    'half tied': (mean: number) => Math.fround(Math.min(1, Math.max(-0.5, mean + random.normal()))),
    'far apart': (mean: number) => 3 * mean + random.normal(),
    inverted: (mean: number) => random.normal() - mean,
    constant: () => 0.25,
  };
  const cases = Object.entries(kinds).flatMap(([kind, draw]) =>
    sizes.flatMap((inds) =>
      [inds, 20, 333].map((oods) => ({
        name: `${kind} ${inds} : ${oods}`,
        ind: Array.from({ length: inds }, () => draw(0)),
        ood: Array.from({ length: oods }, () => draw(1)),
      })),
    ),
  );
  const classes = 10;
  const logits = Array.from({ length: 500 }, () =>
    Array.from({ length: classes }, () => 20 * random.normal()),
  );
  let folder: string;
  let expected: { metrics: Metrics[]; baselines: { [name in keyof BaselineScores]: number[] } };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-parity-'));
    const path = join(folder, 'scores.json');
    await writeFile(path, JSON.stringify({ cases: cases.map(({ ind, ood }) => [ind, ood]), logits }));
    expected = await python('metrics.py', path);
  });
  after(() => rm(folder, { recursive: true }));

  it(`agree on ${cases.length} pairs of score arrays, ties included`, () => {
    cases.forEach(({ name, ind, ood }, i) => {
      const metrics = computeMetrics(Float64Array.from(ind), Float64Array.from(ood));
      for (const metric of Object.keys(metrics) as (keyof Metrics)[])
        expect(metrics[metric], `${metric}, ${name}`).to.be.closeTo(expected.metrics[i][metric], TOLERANCE);
    });
  });

  it('agree on the baselines', () => {
    const scores = baselineScores(Float64Array.from(logits.flat()), classes);
    for (const name of Object.keys(scores) as (keyof BaselineScores)[])
      scores[name].forEach((score, row) => {
        expect(score, `${name}, row ${row}`).to.be.closeTo(expected.baselines[name][row], TOLERANCE);
      });
  });
});
