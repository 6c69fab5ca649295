import { expect } from 'chai';
import { FeatureError, UsageError } from '../../src/common/errors.ts';
import { RandomState } from '../../src/common/random.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
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

const ind = set('cifar10_test', [-3, -1, 0, 2], [-2, -1, -1, -4], [-0.9, -0.8, -0.7, -0.6]);
const svhn = set('svhn', [-2, 1, 3], [1, 1, -1], [-0.5, -0.85, -0.4]);

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
    const tiny = set('tiny', [5], [-5], [0]);
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

  it('adds intervals where they are asked for', () => {
    const [result] = evaluate(layers, ind, [svhn], { bootstrap: { resamples: 20 } }).sets;
    expect(result.laOod.intervals!.auroc.low).to.be.at.most(result.laOod.metrics.auroc);
    expect(result.baselines[0].intervals!.fprAt95Tpr.high).to.be.within(0, 1);
    expect(result.layers[0].intervals).to.equal(undefined);
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
    expect(() => evaluate(layers, ind, [{ ...svhn, name: 'combined' }])).to.throw(UsageError, 'another name');
    expect(() => evaluate([], ind, [])).to.throw(UsageError);
  });
});
