import { expect } from 'chai';
import fc from 'fast-check';
import { RandomState } from '../../src/common/random.ts';
import { betaQuantile } from '../../src/evaluation/conformal.ts';
import { calibrate, conformalPValues, UsageError } from '../../src/index.ts';

describe('split-conformal calibration', () => {
  const scores = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 60 });

  it('gives the p-value (1 + #{calibration scores at least as large}) / (n + 1), ties counted', () => {
    fc.assert(
      fc.property(scores, scores, (calibration, tested) => {
        const expected = tested.map(
          (score) => (1 + calibration.filter((known) => known >= score).length) / (calibration.length + 1),
        );
        expect([...conformalPValues(calibration, tested)]).to.deep.equal(expected);
      }),
    );
  });

  it('calls OOD what has a p-value of at most the rate, by a threshold', () => {
    fc.assert(
      fc.property(
        scores,
        scores,
        fc.double({ min: 0.02, max: 0.98, noNaN: true }),
        (calibration, tested, rate) => {
          fc.pre(Math.floor(rate * (calibration.length + 1)) >= 1);
          const { threshold } = calibrate(calibration, rate);
          const pValues = conformalPValues(calibration, tested);
          const called = tested.map((score) => score > threshold);
          expect(called).to.deep.equal(Array.from(pValues, (p) => p <= rate + 1e-12));
        },
      ),
    );
  });

  it('refuses a rate that so few images cannot support, and says how many can', () => {
    const forty = Array.from({ length: 40 }, (_, i) => i);
    expect(calibrate(forty, 1 / 41).threshold).to.equal(39);
    expect(() => calibrate(forty, 0.02)).to.throw(
      UsageError,
      'false-alarm rate 0.02: cannot be promised from 40 calibration images; take at least 49 images, or a rate from 0.024 on',
    );
    expect(
      calibrate(
        Array.from({ length: 49 }, (_, i) => i),
        0.02,
      ).count,
    ).to.equal(49);
  });

  it('bounds the rate of a calibration set by quantiles of the beta distribution', () => {
    // scipy.stats.beta(a, b).ppf(q)
    for (const [q, a, b, expected] of [
      [0.95, 1, 1, 0.95],
      [0.95, 50, 950, 0.061819982777961614],
      [0.5, 250, 4751, 0.049930020014826444],
      [0.01, 3, 8, 0.047506998951161256],
    ])
      expect(betaQuantile(q, a, b)).to.be.closeTo(expected, 1e-11);
  });

  it('gives the bound and the interval of 10 alarms among 200', () => {
    const calibration = calibrate(
      Array.from({ length: 199 }, (_, i) => i),
      0.05,
      0.9,
    );
    expect(calibration).to.deep.include({ threshold: 189, rate: 0.05, confidence: 0.9, count: 199 });
    // scipy.stats.beta(10, 190).ppf([0.9, 0.05, 0.95])
    expect(calibration.upperBound).to.be.closeTo(0.07045193962695387, 1e-11);
    expect(calibration.interval.low).to.be.closeTo(0.027513086211224915, 1e-11);
    expect(calibration.interval.high).to.be.closeTo(0.07759233355693325, 1e-11);
  });

  it('raises false alarms by the beta-binomial law, over 2,000 splits', () => {
    const [calibrated, tested, splits] = [199, 500, 2000];
    const random = new RandomState(1);
    for (const rate of [0.01, 0.05, 0.1]) {
      const counts: number[] = [];
      let broken = 0;
      for (let split = 0; split < splits; split++) {
        const draw = (length: number) => Float64Array.from({ length }, () => random.normal());
        const { threshold, upperBound } = calibrate(draw(calibrated), rate, 0.9);
        counts.push(draw(tested).reduce((sum, score) => sum + (score > threshold ? 1 : 0), 0));
        // The set's own rate is known: that of a normal number above the threshold.
        if (1 - normalCdf(threshold) > upperBound) broken++;
      }
      const a = Math.floor(rate * (calibrated + 1) + 1e-9);
      const b = calibrated + 1 - a;
      const mean = (tested * a) / (a + b);
      const variance = (tested * a * b * (a + b + tested)) / ((a + b) ** 2 * (a + b + 1));
      const found = counts.reduce((sum, count) => sum + count, 0) / splits;
      const spread = counts.reduce((sum, count) => sum + (count - found) ** 2, 0) / splits;
      // Four standard errors; of the variance, with room for the law's heavier tail.
      expect(found).to.be.closeTo(mean, 4 * Math.sqrt(variance / splits));
      expect(spread / variance).to.be.within(0.8, 1.25);
      expect(broken / splits).to.be.closeTo(0.1, 4 * Math.sqrt((0.1 * 0.9) / splits));
    }
  });
});

/** By the complementary error function of Abramowitz and Stegun, 7.1.26: to 1.5e-7. */
function normalCdf(x: number): number {
  const t = 1 / (1 + (0.3275911 * Math.abs(x)) / Math.SQRT2);
  const series =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = 0.5 * series * Math.exp((-x * x) / 2);
  return x > 0 ? 1 - tail : tail;
}
