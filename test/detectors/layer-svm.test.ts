import { expect } from 'chai';
import { DetectorError } from '../../src/common/errors.ts';
import { RandomState } from '../../src/common/random.ts';
import { defaultFitOptions, type FitOptions, LayerFitter } from '../../src/detectors/layer-svm.ts';
import { decisionFunction } from '../../src/detectors/ocsvm/one-class-svm.ts';
import { RbfKernel } from '../../src/detectors/ocsvm/rbf-kernel.ts';
import { standardize } from '../../src/detectors/standard-scaler.ts';
import { decisionValues, pooledFeatures } from './pooled-features.ts';
import { caught } from './thrown.ts';

describe('LayerFitter', () => {
  let fitter: LayerFitter;
  before(async () => {
    fitter = await LayerFitter.open();
  });
  const fitLayer = (features: Float32Array, width: number, options: Partial<FitOptions> = {}) =>
    fitter.fit('block1', features, width, { ...defaultFitOptions, ...options });

  it('chooses the gamma of the least error, and records every one', async () => {
    const width = 8;
    const { fit: report, ...detector } = await fitLayer(pooledFeatures(1500, width), width);
    expect(report.trials.map(({ gamma }) => gamma)).to.deep.equal(defaultFitOptions.gammas);
    for (const { error, errorInd, errorOod = 0 } of report.trials)
      expect(error).to.be.closeTo((errorInd + errorOod) / 2, 1e-15);
    const errors = report.trials.map(({ error }) => error);
    const best = report.trials[errors.indexOf(Math.min(...errors))];
    expect([detector.gamma, report.error]).to.deep.equal([best.gamma, best.error]);
    expect([report.samples, detector.nu, detector.width, detector.tap]).to.deep.equal([
      1500,
      0.001,
      8,
      'block1',
    ]);
    expect(report.edgePoints).to.be.within(1, 450);
    expect(detector.supportVectors.length).to.equal(detector.alpha.length * width);
    expect(detector.alpha.reduce((a, b) => a + b, 0)).to.be.closeTo(1.5, 1e-5);
  });

  it('chooses the same whether it finishes candidates that cannot win or not, on any number of threads', async () => {
    const width = 30;
    const features = pooledFeatures(3000, width);
    const { fit: report, ...detector } = await fitLayer(features, width);
    const { fit: full, ...same } = await fitLayer(features, width, { finishAll: true });
    expect(same).to.deep.equal(detector);
    expect(report.trials.some(({ isBound }) => isBound)).to.equal(true);
    expect(full.trials.every(({ isBound, errorOod }) => !isBound && errorOod !== undefined)).to.equal(true);
    for (const [t, { isBound, error, errorInd }] of report.trials.entries()) {
      expect(error).to.be.at.most(full.trials[t].error);
      expect(errorInd).to.be.at.most(full.trials[t].errorInd);
      if (isBound) expect(error).to.be.at.least(report.error);
      else expect(error).to.equal(full.trials[t].error);
    }
    const threaded = await (await LayerFitter.open(2)).fit('block1', features, width, defaultFitOptions);
    expect(threaded.gamma).to.equal(detector.gamma);
    expect(threaded.rho).to.be.closeTo(detector.rho, 1e-5);
  });

  it('accepts what it was fitted on, up to nu and the tolerance, and refuses what lies elsewhere', async () => {
    const width = 6;
    const features = pooledFeatures(1200, width);
    const detector = await fitLayer(features, width, { nu: 0.02 });
    const inside = decisionValues(detector, features);
    expect(inside.filter((f) => f < -1e-3).length / 1200).to.be.at.most(0.02);
    const elsewhere = decisionValues(
      detector,
      features.map((value) => value + 30),
    );
    expect(elsewhere.every((f) => f < 0)).to.equal(true);
  });

  it('takes the first of gammas that are as good', async () => {
    const features = pooledFeatures(300, 3);
    // So near to each other that no sample changes sides.
    for (const gammas of [
      [0.05, 0.0500001],
      [0.0500001, 0.05],
    ])
      for (const finishAll of [true, false]) {
        const { gamma, fit: report } = await fitLayer(features, 3, { gammas, finishAll });
        if (finishAll) expect(new Set(report.trials.map(({ error }) => error))).to.have.length(1);
        expect(gamma).to.equal(gammas[0]);
        expect(report.error).to.equal(report.trials[0].error).and.below(1);
      }
  });

  it('weighs the two errors as it is told', async () => {
    const features = pooledFeatures(800, 6);
    const [ood, ind] = [
      await fitLayer(features, 6, { errorRate: 1 }),
      await fitLayer(features, 6, { errorRate: 0 }),
    ];
    expect(ood.fit.error).to.equal(Math.min(...ood.fit.trials.map(({ error }) => error)));
    expect(ind.fit.error).to.equal(Math.min(...ind.fit.trials.map(({ errorInd }) => errorInd)));
    expect(ind.gamma).to.be.lessThan(ood.gamma);
  });

  it('gives the same detector every time', async () => {
    const features = pooledFeatures(900, 5);
    const { fit: first, ...one } = await fitLayer(features, 5);
    const { fit: second, ...two } = await fitLayer(features, 5);
    expect(one).to.deep.equal(two);
    expect(first.trials).to.deep.equal(second.trials);
  });

  it('takes constant features, copies and a dead layer beside live ones', async () => {
    const width = 6;
    const features = pooledFeatures(600, width);
    for (let i = 0; i < 600; i++) features[i * width + 2] = 0;
    for (let i = 300; i < 600; i++) features.copyWithin(i * width, (i - 300) * width, (i - 299) * width);
    const detector = await fitLayer(features, width);
    expect(detector.scaler.scale[2]).to.equal(1);
    expect(decisionValues(detector, features).every(Number.isFinite)).to.equal(true);
  });

  it('fits what is beyond float32 in float64: outliers of hundreds of deviations, and a tight tolerance', async () => {
    const width = 512;
    const features = pooledFeatures(1000, width);
    for (let j = 0; j < width; j++) features[17 * width + j] += 1e6;
    const far = await fitLayer(features, width, { gammas: [0.01, 0.1], tolerance: 1e-3 });
    expect(decisionValues(far, features).every(Number.isFinite)).to.equal(true);

    const exact = await fitLayer(pooledFeatures(500, 5), 5, { tolerance: 1e-8 });
    const kernel = await RbfKernel.open('float64');
    const z = standardize(exact.scaler, pooledFeatures(500, 5));
    const svm = {
      ...exact,
      alpha: Float64Array.from(exact.alpha),
      supportVectors: kernel.points(exact.supportVectors, 5),
    };
    const own = await decisionFunction(kernel, svm, kernel.points(z, 5));
    // Free support vectors lie on the boundary; the detector's own arrays are float32.
    expect(own.reduce((least, f) => Math.min(least, Math.abs(f)), 1)).to.be.lessThan(1e-6);
  });

  describe('refuses', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY])
      it(`a feature that is ${value}, and says where it is`, async () => {
        const features = pooledFeatures(300, 4);
        features[4 * 57 + 3] = value;
        const error = await caught(() => fitLayer(features, 4));
        expect(error).to.be.instanceOf(DetectorError);
        expect(error.message).to.equal(
          `layer block1: feature 3 of sample 57: it is ${value}; look for images or weights that are not finite`,
        );
      });

    for (const [count, held, k] of [
      [1, 1, 1],
      [9, 3, 3],
      [15, 5, 4],
    ])
      it(`${count} samples, or fits them`, async () => {
        const outcome = await fitLayer(pooledFeatures(count, 3), 3).catch((error) => error);
        if (held > k) expect(outcome).to.have.property('rho');
        else {
          expect(outcome).to.be.instanceOf(DetectorError);
          expect(outcome.message).to.equal(
            `layer block1: self-adaptive shifting: there are ${held} validation samples where ${k} neighbours need ${k + 1}; use more training images`,
          );
        }
      });

    it('no samples', async () => {
      const error = await caught(() => fitLayer(new Float32Array(), 3));
      expect(error.message).to.equal(
        'layer block1: self-adaptive shifting: there are 0 validation samples where 1 neighbours need 2; use more training images',
      );
    });

    it('samples without an edge', async () => {
      const error = await caught(() => fitLayer(pooledFeatures(300, 3), 3, { threshold: -0.5 }));
      expect(error).to.be.instanceOf(DetectorError);
      expect(error.message).to.match(/^layer block1: self-adaptive shifting: no sample lies on the edge/);
    });

    it('a nu that is none', async () => {
      const error = await caught(() => fitLayer(pooledFeatures(300, 3), 3, { nu: 2 }));
      expect(error.message).to.equal('layer block1: one-class SVM: nu is 2; it lies in (0, 1]');
    });

    it('a layer on which no gamma is better than chance; under compat it falls back as the original does', async () => {
      // With a huge gamma every validation sample is outside, and with only those counted every error is 1.
      const random = new RandomState(1);
      const features = Float32Array.from({ length: 300 * 40 }, () => random.normal());
      const hopeless: Partial<FitOptions> = { gammas: [100], errorRate: 0 };
      const error = await caught(() => fitLayer(features, 40, hopeless));
      expect(error).to.be.instanceOf(DetectorError);
      expect(error.message).to.equal(
        'layer block1: gamma selection: no gamma separates its samples from pseudo outliers at all; leave it out',
      );
      const detector = await fitLayer(features, 40, { ...hopeless, compat: 'original' });
      expect([detector.nu, detector.fit.error]).to.deep.equal([0.5, 1]);
      expect(detector.gamma).to.be.closeTo(1 / 40, 1e-3);
    });
  });
});
