import { expect } from 'chai';
import { calibrate, conformalPValues } from '../../src/evaluation/conformal.ts';
import { calibrationAt, choosableRates, isOod } from '../../src/page/decision.ts';
import type { GuardFacts } from '../../src/page/guard-facts.ts';

describe('decisions on the page', () => {
  const scores = Array.from({ length: 99 }, (_, i) => i / 10);
  const factsAt = (rate: number, stages?: number[]) =>
    ({ scores, calibration: calibrate(scores, rate), stages }) as unknown as GuardFacts;
  const scored = (score: number) => ({ score });

  it("offer the usual rates that so many images support, and the model's own", () => {
    const rates = choosableRates(factsAt(0.04));
    expect(rates.slice(0, 5)).to.deep.equal([0.01, 0.015, 0.02, 0.03, 0.04]);
    expect(rates.at(-1)).to.equal(0.5);
    expect(choosableRates(factsAt(0.05)).filter((rate) => rate === 0.05)).to.have.length(1);
  });

  it('only raise the rate of a model that images leave early', () => {
    expect(choosableRates(factsAt(0.1, [0.5, 1]))[0]).to.equal(0.1);
  });

  it('are those of the model at its own rate, and of the p-values at every other', () => {
    const facts = factsAt(0.05);
    expect(calibrationAt(facts, 0.05)).to.equal(facts.calibration);
    const tried = [-1, 0, 4.95, 9.2, 9.3, 9.31, 9.7, 9.8, 12];
    const pValues = conformalPValues(scores, tried);
    for (const rate of choosableRates(facts)) {
      const calibration = calibrationAt(facts, rate);
      expect(calibration.rate).to.equal(rate);
      for (const [i, score] of tried.entries())
        expect(isOod(scored(score), calibration), `${score} at ${rate}`).to.equal(pValues[i] <= rate);
    }
  });

  it('call a score OOD that is no number', () => {
    expect(isOod(scored(Number.NaN), factsAt(0.5).calibration)).to.equal(true);
  });
});
