import { expect } from 'chai';
import { chooseGamma } from '../../src/detectors/choose-gamma.ts';
import { defaultFitOptions, type FitOptions } from '../../src/detectors/layer-svm.ts';
import { RbfKernel } from '../../src/detectors/ocsvm/rbf-kernel.ts';
import { gaussian } from './samples.ts';

describe('chooseGamma', () => {
  let kernel: RbfKernel;
  before(async () => {
    kernel = await RbfKernel.open();
  });

  /** Normal training and validation samples, and pseudo outliers that lie twice as far out. */
  function choose(train: number, width: number, options: Partial<FitOptions>) {
    const points = (count: number, seed: number, scale = 1) =>
      kernel.points(
        gaussian(count, width, seed).features.map((value) => scale * value),
        width,
      );
    const judged = { ind: points(500, 2), ood: points(200, 3, 2) };
    return chooseGamma(kernel, points(train, 1), judged, { ...defaultFitOptions, ...options });
  }

  it('counts a sample on the boundary as outside, as LIBSVM does', async () => {
    const points = (count: number) => kernel.points(new Float64Array(count * 2), 2);
    const judged = { ind: points(4), ood: points(3) };
    const { trials } = await chooseGamma(kernel, points(50), judged, { ...defaultFitOptions, gammas: [1] });
    expect(trials.map(({ errorInd, errorOod }) => [errorInd, errorOod])).to.deep.equal([[1, 0]]);
  });

  it('judges by the validation samples alone where these alone are no better than the best', async () => {
    // Too alike for a proof before the fit has converged.
    const gammas = [0.1, 0.3];
    const { trials, best } = await choose(60, 5, { gammas });
    const full = await choose(60, 5, { gammas, finishAll: true });
    const [won, lost] = trials;
    expect(best?.gamma).to.equal(0.1);
    expect([won, full.trials[0].isBound]).to.deep.equal([full.trials[0], false]);
    const { errorOod, ...ind } = full.trials[1];
    expect(errorOod).to.be.a('number');
    expect(lost).to.deep.equal({ ...ind, error: ind.errorInd / 2, isBound: true });
  });

  it('ends the fit of a candidate that is proven to lose, and gives a lower bound of its error', async () => {
    const gammas = [0.001, 0.3];
    const { trials } = await choose(1000, 20, { gammas });
    const full = await choose(1000, 20, { gammas, finishAll: true });
    expect(trials[1].isBound).to.equal(true);
    expect(trials[1]).not.to.have.property('errorOod');
    expect(trials[1].errorInd).to.be.below(full.trials[1].errorInd);
    expect(trials[1].error)
      .to.equal(trials[1].errorInd / 2)
      .and.at.least(trials[0].error);
  });

  it('lets a candidate lose that is as good as the best', async () => {
    const { trials, best } = await choose(300, 3, { gammas: [0.05, 0.0500001], errorRate: 0 });
    expect(trials.map(({ isBound }) => isBound)).to.deep.equal([false, true]);
    expect(trials[1].errorInd).to.equal(trials[0].errorInd).and.above(0);
    expect(best?.gamma).to.equal(0.05);
  });
});
