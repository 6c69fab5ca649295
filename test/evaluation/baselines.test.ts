import { expect } from 'chai';
import fc from 'fast-check';
import { baselineScores } from '../../src/evaluation/baselines.ts';

describe('baseline scores', () => {
  it('have known values', () => {
    const scores = baselineScores(Float32Array.of(0, 0, 0, 0, Math.log(3), 0, -100, 0), 4);
    expect(scores.MSP[0]).to.equal(-0.25);
    expect(scores['max logit'][0]).to.equal(-0);
    expect(scores.energy[0]).to.be.closeTo(-Math.log(4), 1e-12);
    expect(scores.MSP[1]).to.be.closeTo(-3 / 5, 1e-7);
    expect(scores['max logit'][1]).to.be.closeTo(-Math.log(3), 1e-7);
    expect(scores.energy[1]).to.be.closeTo(-Math.log(5), 1e-7);
  });

  it('find the largest logit wherever it is', () => {
    for (const place of [0, 1, 2]) {
      const row = Float64Array.of(-1, -1, -1);
      row[place] = 2;
      const scores = baselineScores(row, 3);
      expect(scores['max logit'][0]).to.equal(-2);
      expect(scores.MSP[0]).to.be.closeTo(-1 / (1 + 2 * Math.exp(-3)), 1e-15);
    }
    expect(baselineScores(Float64Array.of(5, -3), 1).MSP).to.deep.equal(Float64Array.of(-1, -1));
  });

  it('do not overflow', () => {
    const scores = baselineScores(Float32Array.of(1e30, -1e30, 9e4, 9e4), 2);
    expect(scores.MSP[0]).to.equal(-1);
    expect(scores.energy[0]).to.equal(-Math.fround(1e30));
    expect(scores.energy[1]).to.be.closeTo(-9e4 - Math.log(2), 1e-9);
  });

  it('shift with the logits, but for MSP', () => {
    const logits = fc.array(fc.float({ min: -50, max: 50, noNaN: true }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(logits, (row) => {
        const scores = baselineScores(Float64Array.from(row), 3);
        const shifted = baselineScores(
          Float64Array.from(row, (z) => z + 8),
          3,
        );
        expect(shifted.MSP[0]).to.be.closeTo(scores.MSP[0], 1e-12);
        expect(shifted['max logit'][0]).to.be.closeTo(scores['max logit'][0] - 8, 1e-12);
        expect(shifted.energy[0]).to.be.closeTo(scores.energy[0] - 8, 1e-12);
        expect(scores.energy[0]).to.be.at.most(scores['max logit'][0]);
      }),
    );
  });

  it('refuse logits that are not whole rows', () => {
    expect(() => baselineScores(new Float32Array(10), 3)).to.throw(RangeError, '10 logits are not rows of 3');
  });
});
