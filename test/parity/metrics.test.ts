import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { RandomState } from '../../src/common/random.ts';
import { computeMetrics, type MetricOptions, type Metrics } from '../../src/evaluation/metrics.ts';
import { type Misclassification, misclassification } from '../../src/evaluation/misclassification.ts';
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
  const classified = Array.from({ length: 500 }, () => {
    const wrong = Number(random.random() < 0.2);
    return { wrong, score: wrong + random.normal() };
  });
  let folder: string;
  let expected: {
    readonly metrics: Metrics[];
    readonly original: Metrics[];
    readonly misclassification: Misclassification;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-parity-'));
    const path = join(folder, 'scores.json');
    const given = {
      cases: cases.map(({ ind, ood }) => [ind, ood]),
      classified: {
        scores: classified.map(({ score }) => score),
        wrong: classified.map(({ wrong }) => wrong),
      },
    };
    await writeFile(path, JSON.stringify(given));
    expected = await python('metrics.py', path);
  });
  after(() => rm(folder, { recursive: true }));

  const compare = (theirs: readonly Metrics[], options: MetricOptions) =>
    cases.forEach(({ name, ind, ood }, i) => {
      const metrics = computeMetrics(Float64Array.from(ind), Float64Array.from(ood), options);
      for (const metric of Object.keys(metrics) as (keyof Metrics)[])
        expect(metrics[metric], `${metric}, ${name}`).to.be.closeTo(theirs[i][metric], TOLERANCE);
    });

  it(`agree on ${cases.length} pairs of score arrays, ties included`, () => compare(expected.metrics, {}));

  it('agree with the original LA-OOD under its compatibility', () =>
    compare(expected.original, { compat: 'original' }));

  it('agree on right against wrong', () => {
    const scores = Float64Array.from(classified, ({ score }) => score);
    const { auroc, aurc } = misclassification(
      scores,
      Uint8Array.from(classified, ({ wrong }) => wrong),
    );
    expect(auroc).to.be.closeTo(expected.misclassification.auroc, TOLERANCE);
    expect(aurc).to.be.closeTo(expected.misclassification.aurc, TOLERANCE);
  });
});
