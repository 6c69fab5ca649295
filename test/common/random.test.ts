import { expect } from 'chai';
import fc from 'fast-check';
import { RandomState } from '../../src/common/random.ts';

/** The numbers are NumPy 2.4's; `test/parity/detectors.test.ts` compares many more. */
describe('RandomState', () => {
  it("has NumPy's 32-bit words, whatever the seed", () => {
    const words = (seed: number, count: number) => {
      const random = new RandomState(seed);
      return Array.from({ length: count }, () => random.uint32());
    };
    expect(words(0, 6)).to.deep.equal([
      2357136044, 2546248239, 3071714933, 3626093760, 2588848963, 3684848379,
    ]);
    expect(words(2 ** 32 - 1, 2)).to.deep.equal([419326371, 479346978]);
  });

  it("has NumPy's doubles", () => {
    const random = new RandomState(42);
    expect(Array.from({ length: 4 }, () => random.random())).to.deep.equal([
      0.3745401188473625, 0.9507143064099162, 0.7319939418114051, 0.5986584841970366,
    ]);
  });

  it("has NumPy's permutations", () => {
    expect([...new RandomState(42).permutation(20)]).to.deep.equal([
      0, 17, 15, 1, 8, 5, 11, 3, 18, 16, 13, 2, 9, 19, 4, 12, 7, 10, 14, 6,
    ]);
    const order = [...new RandomState(42).permutation(50000)];
    expect(order.slice(0, 5)).to.deep.equal([33553, 9427, 199, 12447, 39489]);
    expect(order.slice(-5)).to.deep.equal([11284, 44732, 38158, 860, 15795]);
  });

  it("has NumPy's normal numbers, and keeps the spare one through other draws", () => {
    const random = new RandomState(42);
    const expected = [
      0.4967141530112327, -0.13826430117118466, 0.6476885381006925, 1.5230298564080254, -0.23415337472333597,
    ];
    for (const value of expected) expect(random.normal()).to.be.closeTo(value, 1e-15);
    const mixed = new RandomState(1);
    mixed.normal();
    expect(mixed.random()).to.equal(0.00011437481734488664);
    expect(mixed.normal()).to.be.closeTo(-0.6117564136500754, 1e-15);
    expect([...mixed.permutation(6)]).to.deep.equal([2, 5, 1, 4, 0, 3]);
  });

  it('draws integers up to and with the largest', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), fc.nat(2 ** 32 - 1), (seed, max) => {
        const random = new RandomState(seed);
        for (let i = 0; i < 5; i++) expect(random.integer(max)).to.be.within(0, max);
      }),
    );
    const random = new RandomState(3);
    const drawn = new Set(Array.from({ length: 100 }, () => random.integer(3)));
    expect([...drawn].sort()).to.deep.equal([0, 1, 2, 3]);
  });
});
