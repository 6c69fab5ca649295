import { expect } from 'chai';
import fc from 'fast-check';
import { quantile } from '../../../src/detectors/methods/quantile.ts';

describe('a quantile of a stream', () => {
  it('is that of all numbers, sorted, in whatever blocks they come', () => {
    const numbers = fc.float32Array({ minLength: 1, maxLength: 60, noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(
        fc.array(numbers, { minLength: 1, maxLength: 4 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (blocks, share) => {
          const all = Float64Array.from(blocks.flatMap((block) => [...block])).sort();
          const place = share * (all.length - 1);
          const [below, above] = [all[Math.floor(place)], all[Math.ceil(place)]];
          const wanted = below + (place - Math.floor(place)) * (above - below);
          expect(quantile(() => blocks.map((values) => ({ values })), share)).to.equal(wanted + 0);
        },
      ),
    );
  });
});
