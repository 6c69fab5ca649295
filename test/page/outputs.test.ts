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
      ...{ label: 3, score: 1.5, pValue: 0.25, largest: 1 },
      ...{ parts: [-1, 2], logits: [0.5, 4, -8] },
    });
    const early = outputsOf({ ...tensors, stage: { data: BigInt64Array.of(2n) } }, 'scores');
    expect(early.stage).to.equal(2);
  });

  const differs = (change: Partial<Outputs>, from: Partial<Outputs> = {}) =>
    difference({ ...outputs, ...change }, { ...outputs, ...from });

  it('are those of two questions, where a guard answers them', () => {
    const { ood_layer: _, layer_scores: __, ...common } = tensors;
    const answered = outputsOf(
      {
        ...common,
        content_p_value: { data: Float32Array.of(0.5) },
        conditions_p_value: { data: Float32Array.of(0.125) },
        condition: { data: BigInt64Array.of(-1n) },
        component_scores: { data: Float32Array.of(1, 4, 2) },
      },
      'scores',
    );
    expect(answered).to.include({ contentPValue: 0.5, conditionsPValue: 0.125, condition: -1, largest: 1 });
    expect(answered.parts).to.deep.equal([1, 4, 2]);
  });

  it('differ by their p-values, and by a share of the largest logit, of 1 at least', () => {
    expect(differs({})).to.deep.equal({ pValue: 0, logits: 0 });
    expect(differs({ logits: [0.5, 4, -7] })).to.deep.equal({ pValue: 0, logits: 1 / 8 });
    expect(differs({ score: 3, parts: [-1, 2.5] })).to.deep.equal({ pValue: 0, logits: 0 });
    expect(differs({ pValue: 0.375 })).to.deep.equal({ pValue: 0.125, logits: 0 });
    expect(differs({ contentPValue: 0.5 }, { contentPValue: 0.25 }).pValue).to.equal(0.25);
    expect(differs({ conditionsPValue: 0.5 }, { conditionsPValue: 1 }).pValue).to.equal(0.5);
  });

  it('differ beyond any tolerance in another class, and where only one has a number', () => {
    expect(differs({ label: 2 }).pValue).to.equal(Number.POSITIVE_INFINITY);
    const left = { logits: [0.5, Number.NaN, -8] };
    expect(differs(left).logits).to.be.NaN;
    expect(differs({}, left).logits).to.be.NaN;
    expect(differs(left, left).logits).to.equal(0);
  });
});
