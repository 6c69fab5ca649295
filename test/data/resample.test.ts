import { expect } from 'chai';
import fc from 'fast-check';
import type { Image } from '../../data/image-set.ts';
import { resize, resizeEach } from '../../data/resample.ts';

const side = fc.integer({ min: 1, max: 40 });

describe('Lanczos resampling', () => {
  it('leaves an image of one colour as it is, whatever the sizes', () => {
    fc.assert(
      fc.property(
        side,
        side,
        side,
        side,
        fc.integer({ max: 0xffffff, min: 0 }),
        (h, w, newH, newW, color) => {
          const rgb = [color & 255, (color >> 8) & 255, color >> 16];
          const paint = (count: number) => Uint8Array.from({ length: 3 * count }, (_, i) => rgb[i % 3]);
          const resized = resize(
            { height: h, width: w, pixels: paint(h * w) },
            { height: newH, width: newW },
          );
          expect(resized).to.deep.equal(paint(newH * newW));
        },
      ),
    );
  });

  it('gives the bytes themselves where the size stays', () => {
    const image = randomImage(9, 7);
    expect(resize(image, { height: 9, width: 7 })).to.equal(image.pixels);
  });

  it('commutes with mirroring', () => {
    fc.assert(
      fc.property(side, side, side, side, (height, width, newHeight, newWidth) => {
        const image = randomImage(height, width);
        const mirrored = { ...image, pixels: mirror(image.pixels, width) };
        const size = { height: newHeight, width: newWidth };
        // Weights on the two sides of a pixel's centre may round differently in the last of 22 bits.
        const [one, other] = [mirror(resize(image, size), newWidth), resize(mirrored, size)];
        expect(one.every((value, i) => Math.abs(value - other[i]) <= 1)).to.equal(true);
      }),
    );
  });

  it('resizes images that lie one after the other as it does each', () => {
    const images = [randomImage(8, 6), randomImage(8, 6)];
    const size = { height: 3, width: 5 };
    const joined = Uint8Array.from(images.flatMap(({ pixels }) => [...pixels]));
    const expected = images.flatMap((image) => [...resize(image, size)]);
    expect([...resizeEach(joined, 2, images[0], size)]).to.deep.equal(expected);
  });
});

let state = 1;
function randomImage(height: number, width: number): Image {
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24;
  return { height, width, pixels: Uint8Array.from({ length: 3 * height * width }, next) };
}

function mirror(pixels: Uint8Array, width: number): Uint8Array {
  return pixels.map((_, i) => {
    const row = Math.floor(i / (3 * width));
    const x = Math.floor(i / 3) % width;
    return pixels[3 * (row * width + width - 1 - x) + (i % 3)];
  });
}
