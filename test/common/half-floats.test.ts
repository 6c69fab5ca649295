import { expect } from 'chai';
import fc from 'fast-check';
import { toFloat16, toFloat32 } from '../../src/common/tensor.ts';

/** Numbers of half floats' bits. */
const numbers = (bits: ArrayLike<number>) =>
  toFloat32({ dtype: 'float16', shape: [bits.length], data: Uint16Array.from(bits) });

/** The places where bits are not those that are expected. */
function different(bits: Uint16Array, expected: ArrayLike<number>): number[] {
  return Array.from(bits.keys()).filter((at) => bits[at] !== expected[at]);
}

describe('Half floats', () => {
  const finite = Uint16Array.from({ length: 0x7c00 }, (_, bits) => bits);

  it('come back as they were, all of them', () => {
    const all = [...finite, 0x7c00].flatMap((bits) => [bits, bits | 0x8000]);
    expect(different(toFloat16(numbers(all)), all)).to.deep.equal([]);
    expect(toFloat16(Float32Array.of(Number.NaN))[0] & 0x7fff).to.be.greaterThan(0x7c00);
  });

  it('are the nearest ones, and the even one in the middle', () => {
    const values = numbers(finite);
    const middle = Float32Array.from(values.subarray(1), (value, below) => (value + values[below]) / 2);
    const even = Uint16Array.from(middle, (_, below) => below + (below & 1));
    expect(different(toFloat16(middle), even)).to.deep.equal([]);
    expect(toFloat16(Float32Array.of(65_519.996, 65_520, -1e30))).to.deep.equal(
      Uint16Array.of(0x7bff, 0x7c00, 0xfc00),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0x7bfe }),
        fc.float({ min: 0, max: 1, noNaN: true }),
        (bits, share) => {
          const [low, high] = [values[bits], values[bits + 1]];
          const value = Math.fround(low + share * (high - low));
          fc.pre(value - low !== high - value);
          const [rounded] = toFloat16(Float32Array.of(value));
          expect(rounded).to.equal(value - low < high - value ? bits : bits + 1);
        },
      ),
    );
  });
});
