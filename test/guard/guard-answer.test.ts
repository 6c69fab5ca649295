import { expect } from 'chai';
import { answersOf, difference, type GuardAnswer } from '../../src/guard/guard-answer.ts';
import type { GuardInfo } from '../../src/guard/guard-info.ts';

describe('answers of a guarded model', () => {
  const outputs = {
    label: { data: BigInt64Array.of(2n, -1n) },
    ood_score: { data: Float32Array.of(1.5, 9) },
    p_value: { data: Float32Array.of(0.25, 0.03125) },
    is_ood: { data: Uint8Array.of(0, 1) },
    scores: { data: Float32Array.of(0.5, -8, 4, Number.NaN, Number.NaN, Number.NaN) },
  };
  const byLayers = {
    ...outputs,
    ood_layer: { data: BigInt64Array.of(1n, 0n) },
    layer_scores: { data: Float32Array.of(-1, 2, 7, Number.NaN) },
    stage: { data: BigInt64Array.of(1n, 0n) },
  };
  const common = { logits: 'scores', isMultiLabel: false, calibration: { rate: 0.05 } };
  const layers = { ...common, parts: ['conv1', 'conv2'] } as unknown as GuardInfo;
  const [first, second] = answersOf(byLayers, 2, layers);

  it('are read row by row, of a guard by layers', () => {
    expect(first).to.deep.include({ isOod: false, pValue: 0.25, score: 1.5, reason: '', label: '2' });
    expect(first).to.deep.include({ classIndex: 2, layer: 'conv2', stage: 1, parts: [-1, 2] });
    expect(first.logits).to.deep.equal([0.5, -8, 4]);
    expect(first).not.to.have.any.keys('content', 'conditions');
    // It left early: no class, and no score of the second layer.
    expect(second).to.deep.include({ isOod: true, classIndex: -1, classes: [], layer: 'conv1' });
    expect(second).not.to.have.property('label');
    expect(second.parts[1]).to.be.NaN;
  });

  it('have classes with their softmax, the most probable first, or with their sigmoid', () => {
    const sum = Math.exp(0.5) + Math.exp(-8) + Math.exp(4);
    const named = { ...layers, classNames: ['cat', 'dog', 'fox'] };
    const [{ label, classes }] = answersOf(byLayers, 2, named);
    expect(label).to.equal('fox');
    expect(classes.map((one) => one.label)).to.deep.equal(['fox', 'cat', 'dog']);
    expect(classes[0].score).to.be.closeTo(Math.exp(4) / sum, 1e-12);
    expect(classes.reduce((total, { score }) => total + score, 0)).to.be.closeTo(1, 1e-12);
    const [of] = answersOf(byLayers, 2, { ...named, isMultiLabel: true });
    expect(of.classes[1].score).to.be.closeTo(1 / (1 + Math.exp(-0.5)), 1e-12);
  });

  it('have the logits of a classifier in half precision, be they numbers or their bits', () => {
    const bits = Uint16Array.of(0x3800, 0xc800, 0x4400, 0x7e00, 0x7e00, 0x7e00);
    const [half, left] = answersOf({ ...byLayers, scores: { data: bits } }, 2, layers);
    expect(half).to.deep.equal(first);
    expect(left.logits).to.deep.equal(second.logits);
  });

  it('explain the decision, of a guard of questions', () => {
    const questions = {
      ...common,
      questions: ['content', 'conditions'],
      conditions: ['blurrier', 'darker'],
      parts: ['gen', 'blur'],
    } as unknown as GuardInfo;
    const [usual, unusual] = answersOf(
      {
        ...outputs,
        content_score: { data: Float32Array.of(1, 1) },
        conditions_score: { data: Float32Array.of(2, 3) },
        content_p_value: { data: Float32Array.of(0.5, 0.5) },
        conditions_p_value: { data: Float32Array.of(0.125, 0.03125) },
        condition: { data: BigInt64Array.of(-1n, 1n) },
        component_scores: { data: Float32Array.of(1, 4, 2, 3) },
      },
      2,
      questions,
    );
    expect(usual).to.deep.include({
      content: { pValue: 0.5, score: 1 },
      conditions: { pValue: 0.125, score: 2 },
      reason: '',
    });
    expect(unusual.conditions).to.deep.equal({ pValue: 0.03125, score: 3, name: 'darker' });
    expect(unusual.reason).to.equal('darker than its training images');
    expect(unusual.parts).to.deep.equal([2, 3]);
  });

  it('have one score and p-value, of a guard of one question', () => {
    const one = { ...common, questions: ['content'], parts: ['gen'] } as unknown as GuardInfo;
    const [, answer] = answersOf({ ...outputs, component_scores: { data: Float32Array.of(1, 2) } }, 2, one);
    expect(answer.content).to.deep.equal({ pValue: 0.03125, score: answer.score });
    expect(answer.reason).to.equal('unlike what it was taught');
    expect(answer).not.to.have.property('conditions');
  });

  const differs = (change: Partial<GuardAnswer>, from: Partial<GuardAnswer> = {}) =>
    difference({ ...first, ...change }, { ...first, ...from });

  it('differ by their p-values, and by a share of the largest logit, of 1 at least', () => {
    expect(differs({})).to.deep.equal({ pValue: 0, logits: 0 });
    expect(differs({ logits: [0.5, -7, 4] })).to.deep.equal({ pValue: 0, logits: 1 / 8 });
    expect(differs({ score: 3, parts: [-1, 2.5] })).to.deep.equal({ pValue: 0, logits: 0 });
    expect(differs({ pValue: 0.375 })).to.deep.equal({ pValue: 0.125, logits: 0 });
    const [half, quarter] = [
      { pValue: 0.5, score: 1 },
      { pValue: 0.25, score: 1 },
    ];
    expect(differs({ content: half }, { content: quarter }).pValue).to.equal(0.25);
    expect(differs({ conditions: quarter }, { conditions: half }).pValue).to.equal(0.25);
  });

  it('differ beyond any tolerance in another class, and where only one has a number', () => {
    expect(differs({ classIndex: 1 }).pValue).to.equal(Number.POSITIVE_INFINITY);
    const left = { logits: [0.5, Number.NaN, 4] };
    expect(differs(left).logits).to.be.NaN;
    expect(differs({}, left).logits).to.be.NaN;
    expect(differs(left, left).logits).to.equal(0);
  });
});
