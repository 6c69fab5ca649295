import { expect } from 'chai';
import fc from 'fast-check';
import { DetectorError } from '../../../src/common/errors.ts';
import { RandomState } from '../../../src/common/random.ts';
import {
  decisionFunction,
  fitOneClassSvm,
  type OneClassSvm,
  type OneClassSvmOptions,
  precisionFor,
} from '../../../src/detectors/ocsvm/one-class-svm.ts';
import { RbfKernel } from '../../../src/detectors/ocsvm/rbf-kernel.ts';
import {
  arbitrarySamples,
  gaussian,
  largestDifference,
  largestSquaredNorm,
  rows,
  type Samples,
  squaredDistance,
} from '../samples.ts';
import { caught } from '../thrown.ts';

describe('one-class SVM', () => {
  let single: RbfKernel;
  let double: RbfKernel;
  before(async () => {
    single = await RbfKernel.open();
    double = await RbfKernel.open('float64');
  });

  const fitOn = (kernel: RbfKernel, samples: Samples, options: OneClassSvmOptions, start?: Float64Array) =>
    fitOneClassSvm(kernel, kernel.points(samples.features, samples.width), options, start);

  /** In the precision that the fit needs. */
  const fitSuitably = (samples: Samples, options: OneClassSvmOptions, start?: Float64Array) => {
    const precision = precisionFor(options, samples.count, largestSquaredNorm(samples));
    return fitOn(precision === 'float32' ? single : double, samples, options, start);
  };

  const problems = fc.record({
    samples: arbitrarySamples(60),
    nu: fc.constantFrom(0.001, 0.02, 0.1, 0.5, 0.9, 1),
    gamma: fc.constantFrom(0.001, 0.01, 0.1, 1, 10),
  });

  it('meets the optimality conditions on random and degenerate problems', async () => {
    await fc.assert(
      fc.asyncProperty(problems, async ({ samples, nu, gamma }) => {
        const svm = await fitSuitably(samples, { nu, gamma, tolerance: 1e-3 });
        expectOptimal(samples, svm, nu, 1e-3);
      }),
      { numRuns: 300 },
    );
  });

  it('meets them to 1e-6 in float64', async () => {
    await fc.assert(
      fc.asyncProperty(problems, async ({ samples, nu, gamma }) => {
        const svm = await fitOn(double, samples, { nu, gamma, tolerance: 1e-6 });
        expectOptimal(samples, svm, nu, 1e-6);
      }),
      { numRuns: 200 },
    );
  });

  // Far more support vectors than a subproblem has variables, and more points than the first active set.
  for (const [name, nu, gamma] of [
    ['many support vectors', 0.001, 0.5],
    ['many multipliers at their bound', 0.3, 0.02],
    ['few of either', 0.001, 0.01],
  ] as const)
    it(`meets them on 4,000 points, with ${name}`, async () => {
      const samples = gaussian(4000, 8, 5);
      const svm = await fitOn(single, samples, { nu, gamma, tolerance: 1e-3 });
      expectOptimal(samples, svm, nu, 1e-3);
    });

  it('has a small violation relative to rho, where the kernel is narrow and rho as small as nu', async () => {
    const samples = gaussian(1500, 100, 3);
    const svm = await fitOn(single, samples, { nu: 0.001, gamma: 0.05, tolerance: 1e-3 });
    expect(svm.rho).to.be.lessThan(0.003);
    const exact = await fitOn(double, samples, { nu: 0.001, gamma: 0.05, tolerance: 1e-8 });
    expect(svm.objective / exact.objective - 1).to.be.within(-1e-6, 5e-5);
  });

  it('gives what can be worked out by hand', async () => {
    const options = { nu: 0.5, gamma: 0.5, tolerance: 1e-9 };
    const pair: Samples = { features: Float64Array.of(0, 2), width: 1, count: 2 };
    const svm = await fitOn(double, pair, options);
    expect([...svm.alpha]).to.deep.equal([0.5, 0.5]);
    expect(svm.rho).to.be.closeTo(0.5 + 0.5 * Math.exp(-2), 1e-12);
    expect(svm.objective).to.be.closeTo(0.25 * (1 + Math.exp(-2)), 1e-12);
    const at = await decisionFunction(double, svm, double.points(Float64Array.of(1, 2, 30), 1));
    expect(at[0]).to.be.closeTo(Math.exp(-0.5) - svm.rho, 1e-12);
    expect(at[1]).to.be.closeTo(0, 1e-12);
    expect(at[2]).to.be.closeTo(-svm.rho, 1e-12);

    const one = await fitOn(double, { features: Float64Array.of(3), width: 1, count: 1 }, options);
    expect([[...one.alpha], one.rho]).to.deep.equal([[0.5], 0.5]);
  });

  it('has every multiplier at 1 for nu = 1', async () => {
    const svm = await fitOn(single, gaussian(700, 3), { nu: 1, gamma: 0.1, tolerance: 1e-3 });
    expect(svm.alpha.length).to.equal(700);
    expect(svm.alpha.every((a) => a === 1)).to.equal(true);
  });

  it('bounds the share of points outside by nu, and that of support vectors from below', async () => {
    const samples = gaussian(3000, 6, 8);
    const nu = 0.05;
    const svm = await fitOn(single, samples, { nu, gamma: 0.1, tolerance: 1e-3 });
    const values = await decisionFunction(single, svm, single.points(samples.features, 6));
    expect(values.filter((f) => f < -1e-3).length / 3000).to.be.at.most(nu);
    expect(svm.alpha.length / 3000).to.be.at.least(nu);
  });

  // Gradients are compared, as they are unique; rho is an interval where no multiplier is free.
  describe('does not depend on', () => {
    it('the order of the samples', async () => {
      await fc.assert(
        fc.asyncProperty(problems, fc.nat(1000), async ({ samples, nu, gamma }, seed) => {
          const order = new RandomState(seed).permutation(samples.count);
          const options = { nu, gamma, tolerance: 1e-6 };
          const svm = await fitOn(double, samples, options);
          const permuted = await fitOn(double, rows(samples, order), options);
          const gradient = Float64Array.from(order, (i) => svm.dual.gradient[i]);
          expect(largestDifference(gradient, permuted.dual.gradient)).to.be.at.most(
            apart(1e-6, nu * samples.count),
          );
          expectSameObjective(svm, permuted, 1e-6);
        }),
      );
    });

    it('its start', async () => {
      await fc.assert(
        fc.asyncProperty(problems, fc.constantFrom(0.5, 2, 100), async ({ samples, nu, gamma }, factor) => {
          const options = { nu, gamma, tolerance: 1e-6 };
          const earlier = await fitOn(double, samples, { ...options, gamma: gamma * factor });
          const cold = await fitOn(double, samples, options);
          const warm = await fitOn(double, samples, options, earlier.dual.alpha);
          const difference = largestDifference(cold.dual.gradient, warm.dual.gradient);
          expect(difference).to.be.at.most(apart(1e-6, nu * samples.count));
          expectSameObjective(cold, warm, 1e-6);
        }),
      );
    });

    it('the order and the start on 3,000 samples', async () => {
      const samples = gaussian(3000, 12, 9);
      const options = { nu: 0.01, gamma: 0.05, tolerance: 1e-3 };
      const cold = await fitOn(single, samples, options);
      const order = new RandomState(2).permutation(3000);
      const permuted = await fitOn(single, rows(samples, order), options);
      const gradient = Float64Array.from(order, (i) => cold.dual.gradient[i]);
      expect(largestDifference(gradient, permuted.dual.gradient)).to.be.lessThan(1e-3);
      expect(permuted.rho).to.be.closeTo(cold.rho, 1e-3);
      expect(permuted.objective / cold.objective).to.be.closeTo(1, 5e-5);
      const earlier = await fitOn(single, samples, { ...options, gamma: 0.025 });
      const warm = await fitOn(single, samples, options, earlier.dual.alpha);
      expect(largestDifference(cold.dual.gradient, warm.dual.gradient)).to.be.lessThan(1e-3);
      expect(warm.rho).to.be.closeTo(cold.rho, 1e-3);
      expect(warm.objective / cold.objective).to.be.closeTo(1, 5e-5);
    });

    it('a start from some of the samples, nor do their number and nu', async () => {
      const samples = gaussian(3000, 10, 4);
      const most = rows(
        samples,
        Array.from({ length: 2100 }, (_, i) => i),
      );
      const earlier = await fitOn(single, most, { nu: 0.01, gamma: 0.05, tolerance: 1e-3 });
      const options = { nu: 0.001, gamma: 0.05, tolerance: 1e-3 };
      const cold = await fitOn(single, samples, options);
      const warm = await fitOn(single, samples, options, earlier.dual.alpha);
      expectOptimal(samples, warm, 0.001, 1e-3);
      expect(largestDifference(cold.dual.gradient, warm.dual.gradient)).to.be.lessThan(3e-3);
    });
  });

  describe('refuses', () => {
    const points = gaussian(20, 2);
    const options = { nu: 0.1, gamma: 0.1, tolerance: 1e-3 };
    for (const [what, changed, message] of [
      ['nu 0', { nu: 0 }, 'nu is 0; it lies in (0, 1]'],
      ['nu above 1', { nu: 1.5 }, 'nu is 1.5; it lies in (0, 1]'],
      ['a gamma that is not positive', { gamma: -1 }, 'gamma is -1; it is positive'],
      ['a gamma that is no number', { gamma: Number.NaN }, 'gamma is NaN; it is positive'],
      ['a tolerance of 0', { tolerance: 0 }, 'the tolerance is 0; it is positive'],
    ] as const)
      it(what, async () => {
        const error = await caught(() => fitOn(single, points, { ...options, ...changed }));
        expect(error).to.be.instanceOf(DetectorError);
        expect(error.message).to.equal(`one-class SVM: ${message}`);
      });

    it('no points', async () => {
      const error = await caught(() => fitOn(single, gaussian(0, 2), options));
      expect(error.message).to.equal('one-class SVM: no training points');
    });

    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1e30])
      it(`a feature of ${value}`, async () => {
        const features = Float64Array.from(points.features);
        features[7] = value;
        const error = await caught(() => fitOn(single, { ...points, features }, options));
        expect(error).to.be.instanceOf(DetectorError);
        expect(error.message).to.equal('one-class SVM: a training feature is not a finite number');
      });

    it('features so large that nothing is left of the kernel, which float64 still takes', async () => {
      const features = Float64Array.from(points.features);
      features[6] = 1e5;
      const error = await caught(() => fitOn(single, { ...points, features }, options));
      expect(error).to.be.instanceOf(DetectorError);
      expect(error.message).to.equal(
        'one-class SVM: training point 3 lies 1.00e+5 from the origin, too far for float32 at gamma 0.1; ' +
          'standardise the features, or take the float64 kernel',
      );
      const svm = await fitOn(double, { ...points, features }, options);
      expectOptimal({ ...points, features }, svm, 0.1, 1e-3);
    });

    it('a tolerance that rounding does not let it meet, instead of trying for ever', async () => {
      const samples = gaussian(3000, 48, 6);
      const tight = { nu: 0.05, gamma: 1e-4, tolerance: 1e-6 };
      const error = await caught(() => fitOn(single, samples, tight));
      expect(error).to.be.instanceOf(DetectorError);
      expect(error.message).to.match(
        /^one-class SVM: does not converge: its optimality conditions may stay violated by \S+ where 1\.0e-6 is allowed, the limit of float32; raise the tolerance or take the float64 kernel$/,
      );
      expect(precisionFor(tight, 3000, 100)).to.equal('float64');
      expectOptimal(samples, await fitOn(double, samples, tight), 0.05, 1e-6);

      const hopeless = await caught(() => fitOn(double, samples, { ...tight, tolerance: 1e-16 }));
      expect(hopeless).to.be.instanceOf(DetectorError);
      expect(hopeless.message).to.match(/the limit of float64; raise the tolerance$/);
    });
  });

  it('takes float32 for what the original fits, float64 for what float32 cannot resolve', () => {
    const usual = { nu: 0.001, gamma: 0.1, tolerance: 1e-3 };
    expect(precisionFor(usual, 50_000, 1_000)).to.equal('float32');
    expect(precisionFor(usual, 200_000, 5_000)).to.equal('float32');
    expect(precisionFor({ ...usual, tolerance: 1e-6 }, 50_000, 1_000)).to.equal('float64');
    expect(precisionFor({ ...usual, nu: 0.5 }, 50_000, 1_000)).to.equal('float64');
    expect(precisionFor(usual, 50_000, 1e6)).to.equal('float64');
  });
});

/** The duality gap of a solution is at most the violation times the sum of the multipliers. */
function expectSameObjective(a: OneClassSvm, b: OneClassSvm, violation: number): void {
  const sum = a.alpha.reduce((total, value) => total + value, 0);
  expect(Math.abs(a.objective - b.objective)).to.be.at.most(1.01 * violation * sum);
}

/**
 * How far the gradients of two solutions can be apart: a gradient is w · φ(x) with |φ(x)| = 1, and half the squared
 * distance of w to the optimal one is at most the duality gap, which is at most the violation times Σ alpha.
 */
function apart(violation: number, sum: number): number {
  return 2 * Math.sqrt(2 * violation * sum) + 1e-9;
}

/** The optimality conditions of the dual, its gradient computed here in float64. */
function expectOptimal(samples: Samples, svm: OneClassSvm, nu: number, tolerance: number): void {
  const { count } = samples;
  const { alpha } = svm.dual;
  expect(alpha.length).to.equal(count);
  expect(alpha.every((a) => a >= 0 && a <= 1)).to.equal(true);
  expect(alpha.reduce((a, b) => a + b, 0)).to.be.closeTo(nu * count, 1e-9 * Math.max(1, nu * count));
  expect(svm.supportVectors.count).to.equal(alpha.filter((a) => a > 0).length);

  const gradient = new Float64Array(count);
  for (let j = 0; j < count; j++)
    if (alpha[j] > 0)
      for (let i = 0; i < count; i++)
        gradient[i] += alpha[j] * Math.exp(-svm.gamma * squaredDistance(samples, i, j));
  let lowest = Number.POSITIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    if (alpha[i] < 1) lowest = Math.min(lowest, gradient[i]);
    if (alpha[i] > 0) highest = Math.max(highest, gradient[i]);
  }
  // Float32 kernel values are off by up to some 3e-4 where points lie far out.
  const rounding = svm.supportVectors.values instanceof Float32Array ? 5e-4 * highest : 1e-9;
  expect(highest - lowest).to.be.at.most(tolerance + rounding);
  if (lowest < highest) expect(svm.rho).to.be.within(lowest - rounding, highest + rounding);
  const objective = 0.5 * alpha.reduce((sum, a, i) => sum + a * gradient[i], 0);
  expect(svm.objective / objective).to.be.closeTo(1, rounding === 1e-9 ? 1e-9 : 5e-4);
}
