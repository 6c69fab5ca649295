import { expect } from 'chai';
import { FeatureError, UsageError } from '../../src/common/errors.ts';
import type { Progress } from '../../src/common/progress.ts';
import { RandomState } from '../../src/common/random.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import type { GuardScores } from '../../src/evaluation/guard-scores.ts';
import { computeMetrics } from '../../src/evaluation/metrics.ts';
import type { ScoredSet } from '../../src/evaluation/scored-set.ts';

const layers = [
  { name: 'conv1', index: 0 },
  { name: 'conv3', index: 2 },
];

function set(name: string, first: number[], second: number[], msp: number[]): ScoredSet {
  return {
    name,
    count: first.length,
    layers: [Float32Array.from(first), Float32Array.from(second)],
    baselines: { MSP: Float64Array.from(msp) },
  };
}

const threeOf = (values: number[]): [number[], number[], number[]] => [values, values, values];

const ind = set('cifar10_test', [-3, -1, 0, 2], [-2, -1, -1, -4], [-0.9, -0.8, -0.7, -0.6]);
const svhn = set('svhn', [-2, 1, 3], [1, 1, -1], [-0.5, -0.85, -0.4]);

const tiny = set('tiny', [5], [-5], [0]);

/** A guard that calls scores above .5 OOD. */
const guard: GuardScores = {
  method: 'content and conditions',
  calibration: {
    ...{ threshold: 0.5, rate: 0.05, upperBound: 0.1, confidence: 0.95, count: 4 },
    interval: { low: 0, high: 0.1 },
  },
  ind: {
    ood: Float32Array.of(0.1, 0.2, 0.3, 0.4),
    content: Float32Array.of(1, 2, 3, 4),
    conditions: Float32Array.of(1, 2, 3, 4),
  },
  sets: new Map([
    [
      'svhn',
      {
        ood: Float32Array.of(0.9, 0.6, 0.3),
        content: new Float32Array(3),
        conditions: new Float32Array(3).fill(5),
      },
    ],
    ['tiny', { ood: Float32Array.of(0.5), content: new Float32Array(1), conditions: new Float32Array(1) }],
  ]),
};

describe('evaluate', () => {
  it('measures layers, their maximum and the baselines on as many InD as OOD images', () => {
    const { sets } = evaluate(layers, ind, [svhn]);
    expect(sets).to.have.length(1);
    const [result] = sets;
    expect(result).to.include({ ood: 'svhn', indCount: 3, oodCount: 3 });
    expect(result.selection).to.equal(undefined);
    // 0 is not accepted; ties in the maximum go to the first layer
    expect(result.layers[0]).to.include({
      name: 'conv1',
      index: 0,
      indAccepted: 2,
      oodRejected: 2,
      indMaxima: 2,
      oodMaxima: 2,
    });
    expect(result.layers[1]).to.include({
      name: 'conv3',
      index: 2,
      indAccepted: 3,
      oodRejected: 2,
      indMaxima: 1,
      oodMaxima: 1,
    });
    expect(result.layers[0].metrics).to.deep.equal(
      computeMetrics(Float32Array.of(-3, -1, 0), Float32Array.of(-2, 1, 3)),
    );
    expect(result.laOod).to.include({ name: 'LA-OOD', indAccepted: 2, oodRejected: 3 });
    expect(result.laOod.metrics).to.deep.equal(
      computeMetrics(Float32Array.of(-2, -1, 0), Float32Array.of(1, 1, 3)),
    );
    expect(result.baselines.map(({ name }) => name)).to.deep.equal(['MSP']);
    expect(result.baselines[0].metrics.auroc).to.equal(7 / 9);
    expect(result.best.name).to.equal('conv3'); // AUROC 8/9 against 7/9
  });

  it('finds the best layer by number, the first of equals', () => {
    const same = evaluate(layers, set('a', [0, 1], [0, 1], [0, 1]), [set('b', [2, 3], [2, 3], [2, 3])]);
    expect(same.sets[0].best.index).to.equal(0);
  });

  it('joins the OOD sets with all InD images', () => {
    const { sets } = evaluate(layers, ind, [svhn, tiny]);
    expect(sets.map(({ ood, indCount, oodCount }) => [ood, indCount, oodCount])).to.deep.equal([
      ['svhn', 3, 3],
      ['tiny', 1, 1],
      ['combined', 4, 4],
    ]);
    expect(sets[2].laOod.metrics).to.deep.equal(
      computeMetrics(Float32Array.of(-2, -1, 0, 2), Float32Array.of(1, 1, 3, 5)),
    );
    expect(sets[2].baselines[0].metrics.auroc).to.equal(13 / 16);
  });

  it('chooses among too many OOD images at random, by a seed that it records', () => {
    const values = Array.from({ length: 50 }, (_, i) => i);
    const large = set('large', values, values, values);
    const { sets } = evaluate(layers, set('ind', [20.5], [20.5], [20.5]), [large], { maxOod: 10, seed: 7 });
    expect(sets[0].selection).to.deep.equal({ from: 50, kept: 10, seed: 7 });
    const first = new RandomState(7).permutation(50)[0];
    expect(sets[0].laOod.metrics.auroc).to.equal(first > 20.5 ? 1 : 0);
    expect(sets[0].oodCount).to.equal(1);
  });

  it('chooses among the images of each OOD set, and leaves one that is no larger as it is', () => {
    const values = Array.from({ length: 50 }, (_, i) => i);
    const large = set('large', ...threeOf(values));
    const [ten, tenToo] = ['ten', 'ten too'].map((name) => set(name, ...threeOf(values.slice(0, 10))));
    const known = set('ind', ...threeOf(values.slice(20, 40)));
    const { sets } = evaluate(layers, known, [large, ten, tenToo], { maxOod: 10, seed: 7 });
    expect(sets[0]).to.deep.include({ selection: { from: 50, kept: 10, seed: 7 }, oodCount: 10 });
    expect(sets[0].laOod.metrics).to.deep.equal(
      computeMetrics(
        Float32Array.from(values.slice(20, 30)),
        Float32Array.from(new RandomState(7).permutation(50).slice(0, 10)),
      ),
    );
    expect(sets[1]).not.to.have.property('selection');
    const [first] = evaluate(layers, set('ind', ...threeOf([1, 2])), [ten], { maxOod: 10 }).sets;
    expect(first.laOod.metrics).to.deep.equal(computeMetrics(Float32Array.of(1, 2), Float32Array.of(0, 1)));
    expect(sets[3].oodCount).to.equal(30);
  });

  it('adds intervals where they are asked for', () => {
    const [result] = evaluate(layers, ind, [svhn], { bootstrap: { resamples: 20 } }).sets;
    expect(result.laOod.intervals!.auroc.low).to.be.at.most(result.laOod.metrics.auroc);
    expect(result.baselines[0].intervals!.fprAt95Tpr.high).to.be.within(0, 1);
    expect(result.layers[0].intervals).to.equal(undefined);
  });

  it('measures the guard and its answers on all images of both sets, and says how many it calls OOD', () => {
    const { sets, methods } = evaluate(layers, ind, [svhn, tiny], { guard });
    // Tiny's score is at the threshold, which is not called OOD.
    expect(sets.map(({ guard }) => [guard!.indCount, guard!.oodCount, guard!.flagged])).to.deep.equal([
      [4, 3, 2 / 3],
      [4, 1, 0],
      [4, 4, 0.5],
    ]);
    expect(sets[0].guard!.name).to.equal('guard');
    expect(sets[0].guard!.metrics.auroc).to.equal(10.5 / 12);
    expect(sets[0].guard!.answers.map(({ name, metrics }) => [name, metrics.auroc])).to.deep.equal([
      ['guard: content', 0],
      ['guard: conditions', 1],
    ]);
    expect(sets[2].guard!.metrics).to.deep.equal(
      computeMetrics(guard.ind.ood, Float32Array.of(0.9, 0.6, 0.3, 0.5)),
    );
    expect(methods.methods.map(({ name }) => name)).to.deep.equal([
      ...['guard', 'guard: content', 'guard: conditions', 'LA-OOD', 'MSP'],
    ]);
    expect(methods.methods[0].sets.map(({ auroc }) => auroc)).to.deep.equal([10.5 / 12, 1]);
    expect(evaluate(layers, ind, [svhn]).sets[0]).not.to.have.property('guard');
  });

  it('names the published method that is best on each set, the first of equals, not the guard or LA-OOD', () => {
    const scores = (name: string, ...sets: number[][]) => ({
      ...{ name, ind: Float32Array.of(0, 1, 2, 3), sets: sets.map((each) => Float32Array.from(each)) },
    });
    const methods = [
      scores('LA-OOD', [9, 9, 9], [9]),
      scores('MSP', [3.5, 3.5, 1.5], [4]),
      scores('KNN', [4, 4, 4], [4]),
      scores('GEN', [4, 4, 4], [0.5]),
    ];
    const best = (chosen: typeof methods) =>
      evaluate(layers, ind, [svhn, tiny], { guard, methods: chosen }).sets.map(
        ({ bestMethod }) => bestMethod,
      );
    expect(best(methods).map((method) => method?.name)).to.deep.equal([
      'best method: KNN',
      'best method: MSP',
      undefined,
    ]);
    expect(best(methods)[1]!.metrics).to.deep.equal(
      computeMetrics(Float32Array.of(0, 1, 2, 3), Float32Array.of(4)),
    );
    expect(best(methods.slice(0, 1))).to.deep.equal([undefined, undefined, undefined]);
  });

  it('counts every score that it measures, and says how far each set is', () => {
    const seen: Progress[] = [];
    const onProgress = (progress: Progress) => seen.push(progress);
    const near = { ...svhn, kind: 'near' as const };
    const { methods } = evaluate(layers, ind, [near, tiny], { guard, onProgress });
    const measured = seen.filter(({ task }) => task === 'measure');
    // Three sets, of which one joins the others: two layers, their maximum, MSP, the guard and its two answers.
    expect(measured.map(({ done, total }) => [done, total])).to.deep.equal(
      Array.from({ length: 21 }, (_, i) => [i + 1, 21]),
    );
    expect(methods.sets).to.deep.equal([
      { name: 'svhn', images: 3, kind: 'near' },
      { name: 'tiny', images: 1 },
    ]);
    const without: Progress[] = [];
    evaluate(layers, { ...ind, baselines: undefined }, [svhn], { onProgress: (each) => without.push(each) });
    expect(without.filter(({ task }) => task === 'measure').at(-1)).to.include({ done: 3, total: 3 });
  });

  it('says where it reads FPR as the original does', () => {
    expect(evaluate(layers, ind, [svhn], { compat: 'original' }).compat).to.equal('original');
    expect(evaluate(layers, ind, [svhn])).not.to.have.property('compat');
  });

  it('says which scores are missing or not finite', () => {
    const broken = set('broken', [1, Number.NaN], [1, 2], [1, 2]);
    expect(() => evaluate(layers, ind, [broken])).to.throw(
      FeatureError,
      'broken: layer 0 (conv1): the score of image 1 is NaN',
    );
    const short = { ...svhn, layers: [svhn.layers[0], new Float32Array(2)] };
    expect(() => evaluate(layers, ind, [short])).to.throw(FeatureError, '2 scores for 3 images');
    expect(() => evaluate(layers, ind, [{ ...svhn, baselines: {} }])).to.throw(
      FeatureError,
      'svhn: MSP: 0 scores',
    );
    expect(() => evaluate(layers, ind, [{ ...svhn, layers: [] }])).to.throw(
      FeatureError,
      '0 layers, not of 2',
    );
    expect(() => evaluate(layers, ind, [set('none', [], [], [])])).to.throw(
      FeatureError,
      'none: holds no images',
    );
    const combined = { ...svhn, name: 'combined' };
    for (const sets of [[combined], [tiny, combined]])
      expect(() => evaluate(layers, ind, sets)).to.throw(UsageError, 'another name');
    expect(() => evaluate([], ind, [])).to.throw(UsageError);
  });
});
