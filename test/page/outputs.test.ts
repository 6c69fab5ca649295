import { expect } from 'chai';
import { difference, type Outputs, outputsOf } from '../../src/page/outputs.ts';

describe('outputs of a guarded model', () => {
  const tensors = {
    label: { data: BigInt64Array.of(3n) },
    ood_score: { data: Float32Array.of(1.5) },
    p_value: { data: Float32Array.of(0.25) },
    ood_layer: { data: BigInt64Array.of(1n) },
    layer_scores: { data: Float32Array.of(-1, 2) },
    scores: { data: Float32Array.of(0.5, 4, -8) },
  };
  const outputs = outputsOf(tensors, 'scores');

  it('are plain numbers by their meaning', () => {
    expect(outputs).to.deep.equal({
      ...{ label: 3, score: 1.5, pValue: 0.25, layer: 1 },
      ...{ layerScores: [-1, 2], logits: [0.5, 4, -8] },
    });
    const early = outputsOf({ ...tensors, stage: { data: BigInt64Array.of(2n) } }, 'scores');
    expect(early.stage).to.equal(2);
  });

  const differs = (change: Partial<Outputs>, from: Partial<Outputs> = {}) =>
    difference({ ...outputs, ...change }, { ...outputs, ...from });

  it('differ by a share of the largest value of a kind, of 1 at least', () => {
    expect(differs({})).to.equal(0);
    expect(differs({ logits: [0.5, 4, -7] })).to.equal(1 / 8);
    expect(differs({ layerScores: [-1, 2.5] })).to.equal(1 / 4);
    expect(differs({ score: 3 })).to.equal(1);
    expect(differs({ pValue: 0.375 })).to.equal(0.125);
    expect(differs({ logits: [0.5, 4, -7], pValue: 0.75 })).to.equal(0.5);
  });

  it('differ beyond any tolerance in another class, and where only one has a number', () => {
    expect(differs({ label: 2 })).to.equal(Number.POSITIVE_INFINITY);
    const left = { layerScores: [-1, Number.NaN] };
    expect(differs(left)).to.be.NaN;
    expect(differs({}, left)).to.be.NaN;
    expect(differs(left, left)).to.equal(0);
  });
});
