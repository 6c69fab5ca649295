import { expect } from 'chai';
import fc from 'fast-check';
import { RandomState } from '../../src/common/random.ts';
import { fitStandardScaler, scaleOf, standardize } from '../../src/detectors/standard-scaler.ts';

describe('StandardScaler', () => {
  it('has the mean and the population standard deviation', () => {
    const features = Float32Array.of(1, 10, 3, 10, 5, 40);
    const scaler = fitStandardScaler(features, 2);
    expect([...scaler.mean]).to.deep.equal([3, 20]);
    expect(scaler.scale[0]).to.be.closeTo(Math.sqrt(8 / 3), 1e-15);
    expect(scaler.scale[1]).to.be.closeTo(Math.sqrt(200), 1e-13);
    const rows = standardize(scaler, features, Uint32Array.of(2, 0));
    expect(rows[0]).to.be.closeTo(2 / Math.sqrt(8 / 3), 1e-15);
    expect(rows[3]).to.be.closeTo(-10 / Math.sqrt(200), 1e-15);
  });

  for (const value of [0, 7, 0.1, -1e30, 1e-30])
    it(`gives a feature that is always ${value} the scale 1, and makes it 0`, () => {
      const features = new Float32Array(2000);
      for (let i = 0; i < 1000; i++) features.set([value, i], 2 * i);
      const scaler = fitStandardScaler(features, 2);
      expect(scaler.scale[0]).to.equal(1);
      const standardized = standardize(scaler, features);
      // The mean of equal numbers may differ from them in the last bit.
      for (let i = 0; i < 1000; i++)
        expect(Math.abs(standardized[2 * i])).to.be.at.most(1e-12 * Math.abs(value));
    });

  it('keeps the digits of a small spread about a large mean', () => {
    const features = Float32Array.from({ length: 1000 }, (_, i) => 65536 + (i % 2) / 128);
    const { mean, scale } = fitStandardScaler(features, 1);
    expect(mean[0]).to.equal(65536 + 1 / 256);
    expect(scale[0]).to.equal(1 / 256);
  });

  // _is_constant_feature: variance ≤ n ε variance + (n mean ε)², of ten samples here.
  for (const [variance, mean, isConstant] of [
    [1e-20, 0, false],
    [0, 0, true],
    [4e-28, 10, true],
    [6e-28, 10, false],
    [4e-26, -100, true],
    [6e-26, -100, false],
  ] as const)
    it(`takes a variance of ${variance} about ${mean} for ${isConstant ? 'rounding' : 'one'}, as scikit-learn does`, () => {
      expect(scaleOf(variance, mean, 10)).to.equal(isConstant ? 1 : Math.sqrt(variance));
    });

  it('makes any features have mean 0 and deviation 1', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 200 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(),
        (n, width, seed) => {
          const random = new RandomState(seed);
          const features = Float32Array.from(
            { length: n * width },
            (_, i) => random.normal() * 10 ** ((i % width) - 2) + 3,
          );
          const standardized = standardize(fitStandardScaler(features, width), features);
          for (let j = 0; j < width; j++) {
            const column = standardized.filter((_, i) => i % width === j);
            const mean = column.reduce((a, b) => a + b, 0) / n;
            const variance = column.reduce((sum, value) => sum + value * value, 0) / n;
            expect(mean).to.be.closeTo(0, 1e-9);
            expect(variance).to.be.closeTo(1, 1e-9);
          }
        },
      ),
    );
  });
});
