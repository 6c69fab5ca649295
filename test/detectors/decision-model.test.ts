import { expect } from 'chai';
import { decisionModel, withThreshold } from '../../src/detectors/decision-model.ts';
import { joinModels } from '../../src/graph/join.ts';
import { conformalPValues, GraphError } from '../../src/index.ts';
import { runModel } from '../graph/models.ts';
import { caught } from './thrown.ts';

describe('decisionModel', () => {
  const calibration = Float32Array.of(0, 1, 2, 3, 3, 4, 5, 6, 7);
  const model = decisionModel('logits', 3, calibration, 5);
  const scores = Float32Array.of(-1, 3, 5, 5.5, 100, Number.POSITIVE_INFINITY, Number.NaN);
  const count = scores.length;

  const decide = (decision: typeof model, logits = new Float32Array(3 * count)) =>
    runModel(decision, {
      ood_score: { data: scores, dims: [count] },
      logits: { data: logits, dims: [count, 3] },
    });

  it('gives p-value and decision; a score that is no number is the most suspicious', async () => {
    const { is_ood, p_value } = await decide(model);
    expect(is_ood.dims).to.deep.equal([count]);
    expect(Array.from(is_ood.data as Uint8Array)).to.deep.equal([0, 0, 0, 1, 1, 1, 1]);
    const expected = [...conformalPValues(calibration, scores.subarray(0, 6)), 0.1];
    expect(p_value.dims).to.deep.equal([count]);
    for (const [i, p] of expected.entries()) expect(p_value.data[i]).to.be.closeTo(p, 1e-6);
  });

  it('gives the class of the largest logit, −1 where they are no numbers', async () => {
    const logits = Float32Array.from({ length: 3 * count }, (_, at) =>
      Number(at % 3 === Math.floor(at / 3) % 3),
    );
    logits.fill(Number.NaN, 3, 6);
    const { label } = await decide(model, logits);
    expect(label.dims).to.deep.equal([count]);
    expect(Array.from(label.data as BigInt64Array, Number)).to.deep.equal([0, -1, 2, 0, 1, 2, 0]);
  });

  it('decides by another threshold that is put into it', async () => {
    const { is_ood, p_value } = await decide(withThreshold(model, 2.5));
    expect(Array.from(is_ood.data as Uint8Array)).to.deep.equal([0, 1, 1, 1, 1, 1, 1]);
    expect([...(p_value.data as Float32Array)]).to.deep.equal([
      ...((await decide(model)).p_value.data as Float32Array),
    ]);
  });

  it('is not put behind a graph that has values of its names', async () => {
    const error = await caught(async () => joinModels(model, model, 'here.onnx'));
    expect(error).to.be.instanceOf(GraphError);
    expect(error.message).to.match(
      /^here\.onnx: has a value named .* already; la-ood import gives it another name$/,
    );
  });
});
