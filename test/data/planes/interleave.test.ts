import { expect } from 'chai';
import fc from 'fast-check';
import { interleave } from '../../../data/planes/interleave.ts';
import { RandomState } from '../../../src/common/random.ts';

describe('Interleaving planes', () => {
  it('takes the samples of each pixel, however many there are', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9000 }), fc.integer({ min: 0, max: 20 }), (area, gap) => {
        const stride = area + gap;
        const planes = bytes(3 * stride);
        const rgb = new Uint8Array(3 * area);
        interleave(planes, stride, rgb);
        const expected = rgb.map((_, i) => planes[(i % 3) * stride + Math.floor(i / 3)]);
        expect(Buffer.compare(rgb, expected)).to.equal(0);
      }),
    );
  });

  it('of one plane gives grey', () => {
    const plane = bytes(17);
    const rgb = new Uint8Array(3 * 17);
    interleave(plane, 0, rgb);
    expect(rgb).to.deep.equal(rgb.map((_, i) => plane[Math.floor(i / 3)]));
  });
});

function bytes(length: number): Uint8Array {
  const random = new RandomState(length);
  return Uint8Array.from({ length }, () => random.integer(255));
}
