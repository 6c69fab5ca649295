import { expect } from 'chai';
import fc from 'fast-check';
import { auroc, computeMetrics, rocCurve } from '../../src/evaluation/metrics.ts';

const scores = (...values: number[]) => Float64Array.from(values);
/** Few distinct values, so that there are ties. */
const anyScores = fc
  .array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 60 })
  .map((values) => Float64Array.from(values));
const negated = (values: Float64Array) => values.map((value) => -value);

describe('metrics', () => {
  it('have known values where the sets are apart', () => {
    const perfect = { fprAt95Tpr: 0, fprAt95TprIndPositive: 0, auroc: 1, auprOut: 1, auprIn: 1 };
    expect(computeMetrics(scores(1, 2, 3), scores(4, 5))).to.deep.equal(perfect);
    const inverted = computeMetrics(scores(4, 5), scores(1, 2, 3));
    expect(inverted).to.include({ fprAt95Tpr: 1, fprAt95TprIndPositive: 1, auroc: 0 });
  });

  it('have known values on a small example with a tie', () => {
    const ind = scores(0.1, 0.4, 0.4, 0.8);
    const ood = scores(0.4, 0.9);
    // 8 pairs: 0.9 wins 4; 0.4 wins 1, ties 2, loses 1
    expect(auroc(ind, ood)).to.equal(6 / 8);
    // from above: 0.9 finds 1 of 2, 0.8 flags 1 of 4, 0.4 finds the second and flags 3 of 4
    const { fpr, tpr } = rocCurve(ind, ood);
    expect([...fpr]).to.deep.equal([0, 0, 0.25, 0.75, 1]);
    expect([...tpr]).to.deep.equal([0, 0.5, 0.5, 1, 1]);
    const metrics = computeMetrics(ind, ood);
    expect(metrics.fprAt95Tpr).to.equal(0.75);
    expect(computeMetrics(ind, ood, { compat: 'original' }).fprAt95Tpr).to.be.closeTo(
      0.25 + 0.9 * 0.5,
      1e-15,
    );
    expect(metrics.auprOut).to.be.closeTo(0.5 * 1 + (0.5 * (1 / 2 + 2 / 5)) / 2, 1e-15);
    // from below: 0.1 (1 InD), 0.4 (2 more InD, 1 OOD), 0.8 (InD), 0.9 (OOD)
    expect(metrics.fprAt95TprIndPositive).to.equal(0.5);
    expect(metrics.auprIn).to.be.closeTo(
      0.25 + (0.5 * (1 + 3 / 4)) / 2 + (0.25 * (3 / 4 + 4 / 5)) / 2,
      1e-15,
    );
  });

  it('take the FPR of the first point whose TPR is at least .95; the original that of the last at exactly .95', () => {
    // 95 % of the OOD scores are above three of the four InD scores; the last one is below them.
    const ood = Float64Array.from({ length: 20 }, (_, i) => (i === 0 ? -10 : 10 + i));
    const ind = scores(-20, 1, 2, 3);
    expect(computeMetrics(ind, ood).fprAt95Tpr).to.equal(0);
    expect(computeMetrics(ind, ood, { compat: 'original' }).fprAt95Tpr).to.equal(0.75);
    // 19 of 20 are .95 and count, 18 do not.
    const nineteen = Float64Array.from({ length: 20 }, (_, i) => i);
    expect(computeMetrics(scores(0.5), nineteen).fprAt95Tpr).to.equal(0);
    expect(computeMetrics(scores(1.5), nineteen).fprAt95Tpr).to.equal(1);
  });

  it('find one number where all scores are equal', () => {
    const equal = computeMetrics(new Float32Array(10), new Float32Array(30));
    expect(equal).to.include({ auroc: 0.5, fprAt95Tpr: 1, fprAt95TprIndPositive: 1 });
  });

  it('do not depend on the order of samples, nor on any rising function of the scores', () => {
    fc.assert(
      fc.property(anyScores, anyScores, (ind, ood) => {
        const metrics = computeMetrics(ind, ood);
        expect(computeMetrics(ind.toReversed(), ood.toSorted())).to.deep.equal(metrics);
        const rising = (score: number) => Math.exp(score / 4) - 7;
        expect(computeMetrics(ind.map(rising), ood.map(rising))).to.deep.equal(metrics);
      }),
    );
  });

  it('change places when the sets do and the scores are negated', () => {
    fc.assert(
      fc.property(anyScores, anyScores, (ind, ood) => {
        const metrics = computeMetrics(ind, ood);
        const swapped = computeMetrics(negated(ood), negated(ind));
        expect(swapped.fprAt95Tpr).to.equal(metrics.fprAt95TprIndPositive);
        expect(swapped.auprOut).to.equal(metrics.auprIn);
        expect(swapped.auroc).to.be.closeTo(metrics.auroc, 1e-12);
        expect(auroc(ood, ind)).to.be.closeTo(1 - metrics.auroc, 1e-12);
      }),
    );
  });

  it('give the AUROC as the share of pairs in order, and everything between 0 and 1', () => {
    fc.assert(
      fc.property(anyScores, anyScores, (ind, ood) => {
        let inOrder = 0;
        for (const i of ind) for (const o of ood) inOrder += o > i ? 1 : o === i ? 0.5 : 0;
        expect(auroc(ind, ood)).to.be.closeTo(inOrder / (ind.length * ood.length), 1e-12);
        for (const value of Object.values(computeMetrics(ind, ood))) expect(value).to.be.within(0, 1 + 1e-12);
      }),
    );
  });

  it('refuse empty sets and scores that are not finite', () => {
    expect(() => auroc(scores(), scores(1))).to.throw(RangeError, 'no InD scores');
    expect(() => auroc(scores(1), scores())).to.throw(RangeError, 'no OOD scores');
    expect(() => auroc(scores(1), scores(3, Number.NaN, 2))).to.throw(RangeError, 'OOD');
    expect(() => auroc(scores(Number.NEGATIVE_INFINITY, 1), scores(3))).to.throw(RangeError, 'InD');
  });
});
