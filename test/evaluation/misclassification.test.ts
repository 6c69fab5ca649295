import { expect } from 'chai';
import fc from 'fast-check';
import { misclassification } from '../../src/evaluation/misclassification.ts';

describe('misclassification', () => {
  it('has known values on a small example', () => {
    // From the most trusted on: right, wrong, right, wrong; risks 0, 1/2, 1/3, 2/4.
    const { auroc, aurc } = misclassification(Float64Array.of(3, 0, 7, 1), Uint8Array.of(0, 0, 1, 1));
    expect(auroc).to.equal(3 / 4);
    expect(aurc).to.be.closeTo((0 + 1 / 2 + 1 / 3 + 2 / 4) / 4, 1e-15);
  });

  it('takes equal scores as their mean over all orders', () => {
    const isWrong = [0, 1, 0, 1, 1];
    const scores = [5, 5, 1, 5, 9];
    const orders = permutations([0, 1, 2, 3, 4]).filter((order) =>
      order.every((image, n) => n === 0 || scores[order[n - 1]] <= scores[image]),
    );
    const areas = orders.map((order) => {
      const risks = order.map((_, n) => mean(order.slice(0, n + 1).map((image) => isWrong[image])));
      return mean(risks);
    });
    const { aurc } = misclassification(Float64Array.from(scores), Uint8Array.from(isWrong));
    expect(orders).to.have.length(6);
    expect(aurc).to.be.closeTo(mean(areas), 1e-15);
  });

  it('is the share of wrong images where all scores are equal, and no less than the best order has', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1), { minLength: 2, maxLength: 40 }), (drawn) => {
        const isWrong = Uint8Array.from([0, 1, ...drawn]);
        const share = mean([...isWrong]);
        const equal = misclassification(new Float64Array(isWrong.length), isWrong);
        expect(equal.auroc).to.equal(0.5);
        expect(equal.aurc).to.be.closeTo(share, 1e-12);
        const best = misclassification(Float64Array.from(isWrong), isWrong);
        expect(best.auroc).to.equal(1);
        expect(best.aurc).to.be.below(share);
      }),
    );
  });

  it('refuses images that are all right, or all wrong', () => {
    const scores = Float64Array.of(1, 2);
    expect(() => misclassification(scores, Uint8Array.of(0, 0))).to.throw(RangeError);
    expect(() => misclassification(scores, Uint8Array.of(1, 1))).to.throw(RangeError);
  });
});

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((first) =>
    permutations(items.filter((item) => item !== first)).map((rest) => [first, ...rest]),
  );
}
