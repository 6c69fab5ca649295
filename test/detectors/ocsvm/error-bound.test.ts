import { expect } from 'chai';
import fc from 'fast-check';
import { certainlyOutside } from '../../../src/detectors/ocsvm/error-bound.ts';
import { decisionFunction, fitOneClassSvm } from '../../../src/detectors/ocsvm/one-class-svm.ts';
import { RbfKernel } from '../../../src/detectors/ocsvm/rbf-kernel.ts';
import { gaussian } from '../samples.ts';

describe('certainlyOutside', () => {
  let kernel: RbfKernel;
  before(async () => {
    kernel = await RbfKernel.open();
  });

  /** What is proven at each look at a fit, from a warm start, and how many points the finished fit puts outside. */
  async function proofs(count: number, width: number, gamma: number, seed: number) {
    const samples = gaussian(count + 600, width, seed);
    const train = kernel.points(samples.features.subarray(0, count * width), width);
    const judged = kernel.points(samples.features.subarray(count * width), width);
    const options = { nu: 0.01, gamma, tolerance: 1e-3 };
    const { dual } = await fitOneClassSvm(kernel, train, { ...options, gamma: gamma / 2 });
    const proven: number[] = [];
    const finished = await fitOneClassSvm(kernel, train, options, dual.alpha, async (state) => {
      proven.push(await certainlyOutside(kernel, train, gamma, state, judged, 0));
      return false;
    });
    const values = await decisionFunction(kernel, finished, judged);
    return { proven, outside: values.filter((f) => f <= 0).length };
  }

  it('never claims a point too many, however early it is asked', async () => {
    const problem = [
      fc.integer({ min: 50, max: 700 }),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(0.02, 0.1, 0.5),
      fc.nat(1000),
    ] as const;
    await fc.assert(
      fc.asyncProperty(...problem, async (count, width, gamma, seed) => {
        const { proven, outside } = await proofs(count, width, gamma, seed);
        for (const claim of proven) expect(claim).to.be.at.most(outside);
      }),
      { numRuns: 60 },
    );
  });

  it('proves many of them before the fit ends, where the kernel is narrow against the data', async () => {
    const { proven, outside } = await proofs(3000, 40, 0.1, 3);
    expect(outside).to.be.above(300);
    expect(proven.length).to.be.above(5);
    expect(proven.at(-1)).to.be.above(0.25 * outside);
  });
});
