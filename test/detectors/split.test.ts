import { expect } from 'chai';
import fc from 'fast-check';
import { splitValidation } from '../../src/detectors/split.ts';

describe('splitValidation', () => {
  it('splits as train_test_split(test_size=.3, random_state=42)', () => {
    const { train, validation } = splitValidation(11, 0.3, 42);
    expect([...validation]).to.deep.equal([5, 0, 9, 10]);
    expect([...train]).to.deep.equal([2, 1, 8, 4, 7, 3, 6]);
  });

  it('puts every sample into one part, ⌈share n⌉ of them into the validation part', () => {
    fc.assert(
      fc.property(
        fc.nat(500),
        fc.double({ min: 0.01, max: 0.99, noNaN: true }),
        fc.nat(),
        (n, share, seed) => {
          const { train, validation } = splitValidation(n, share, seed);
          expect(validation.length).to.equal(Math.ceil(share * n));
          const all = [...train, ...validation].sort((a, b) => a - b);
          expect(all).to.deep.equal(Array.from({ length: n }, (_, i) => i));
        },
      ),
    );
  });
});
