import { expect } from 'chai';
import {
  answeredBy,
  flaggedShare,
  type GuardScores,
  guardMethods,
  guardScoresOf,
} from '../../src/evaluation/guard-scores.ts';

const scores = (...values: number[]) => Float32Array.from(values);
const calibration = {
  ...{ threshold: 0.5, rate: 0.05, upperBound: 0.1, confidence: 0.95, count: 4 },
  interval: { low: 0, high: 0.1 },
};
const guard: GuardScores = {
  method: 'content and conditions',
  calibration,
  ind: { ood: scores(1, 2), content: scores(3, 4), conditions: scores(5, 6) },
  sets: new Map([
    ['svhn', { ood: scores(7, 8), content: scores(9, 10), conditions: scores(11, 12) }],
    ['tiny', { ood: scores(13), content: scores(14), conditions: scores(15) }],
  ]),
};

describe("a guard's scores", () => {
  it('are those of a set, or of all sets where it is none of its own', () => {
    expect([...guardScoresOf(guard, 'tiny')]).to.deep.equal([13]);
    expect([...guardScoresOf(guard, 'svhn', 'content')]).to.deep.equal([9, 10]);
    expect([...guardScoresOf(guard, 'all')]).to.deep.equal([7, 8, 13]);
    expect([...guardScoresOf(guard, 'all', 'conditions')]).to.deep.equal([11, 12, 15]);
  });

  it('are above the threshold where an image is called OOD', () => {
    expect(flaggedShare(calibration, scores(0.4, 0.5, 0.6, 0.7))).to.equal(0.5);
  });

  it('are a method for the decision and one for each question that is answered', () => {
    const isWrong = Uint8Array.of(0, 1);
    const methods = guardMethods(guard, ['svhn', 'all'], isWrong);
    expect(methods.map(({ name }) => name)).to.deep.equal(['guard', 'guard: content', 'guard: conditions']);
    expect(methods.map(({ ind }) => [...ind])).to.deep.equal([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(methods[1].sets.map((set) => [...set])).to.deep.equal([
      [9, 10],
      [9, 10, 14],
    ]);
    for (const method of methods) expect(method.isWrong).to.equal(isWrong);
  });

  it('are of one question, or of none, where a guard answers no other', () => {
    const ood = scores(1);
    expect(answeredBy({ ood, conditions: ood })).to.deep.equal(['conditions']);
    const only = { ...guard, ind: { ood }, sets: new Map([['svhn', { ood }]]) };
    expect(guardMethods(only, ['svhn'], undefined).map(({ name }) => name)).to.deep.equal(['guard']);
  });
});
