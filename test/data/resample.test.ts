import { expect } from 'chai';
import fc from 'fast-check';
import type { Image } from '../../data/image-set.ts';
import { resize, resizeEach } from '../../data/resample.ts';
import { filterNames } from '../../data/resampling/filters.ts';

const side = fc.integer({ min: 1, max: 40 });
const filter = fc.constantFrom(...filterNames);

describe('Resampling', () => {
  it('leaves an image of one colour as it is, whatever the sizes', () => {
    const color = fc.integer({ max: 0xffffff, min: 0 });
    fc.assert(
      fc.property(side, side, side, side, color, filter, (h, w, newH, newW, color, filter) => {
        const rgb = [color & 255, (color >> 8) & 255, color >> 16];
        const paint = (count: number) => Uint8Array.from({ length: 3 * count }, (_, i) => rgb[i % 3]);
        const resized = resize(
          { height: h, width: w, pixels: paint(h * w) },
          { height: newH, width: newW, filter },
        );
        expect(resized).to.deep.equal(paint(newH * newW));
      }),
    );
  });

  it('gives the bytes themselves where the size stays', () => {
    const image = randomImage(9, 7);
    expect(resize(image, { height: 9, width: 7 })).to.equal(image.pixels);
  });

  it('commutes with mirroring', () => {
    fc.assert(
      fc.property(side, side, side, side, filter, (height, width, newHeight, newWidth, filter) => {
        // A box that ends on the middle of a pixel takes it in on one side only, and so does the nearest pixel.
        fc.pre(filter !== 'box' && filter !== 'nearest');
        const image = randomImage(height, width);
        const mirrored = { ...image, pixels: mirror(image.pixels, width) };
        const size = { height: newHeight, width: newWidth, filter };
        // Weights on the two sides of a pixel's centre may round differently in the last of 22 bits.
        const [one, other] = [mirror(resize(image, size), newWidth), resize(mirrored, size)];
        expect(one.every((value, i) => Math.abs(value - other[i]) <= 1)).to.equal(true);
      }),
    );
  });

  it('with a box is the mean of the pixels', () => {
    const pixels = Uint8Array.of(0, 10, 20, 100, 30, 41, 4, 5, 6, 8, 9, 255);
    const size = { height: 1, width: 1, filter: 'box' } as const;
    expect([...resize({ height: 2, width: 2, pixels }, size)]).to.deep.equal([28, 14, 81]);
  });

  it('resizes images that lie one after the other as it does each', () => {
    const images = [randomImage(8, 6), randomImage(8, 6)];
    const size = { height: 3, width: 5 };
    const joined = Uint8Array.from(images.flatMap(({ pixels }) => [...pixels]));
    const expected = images.flatMap((image) => [...resize(image, size)]);
    expect([...resizeEach(joined, 2, images[0], size)]).to.deep.equal(expected);
  });

  it('of a large image leaves the next small one alone', () => {
    const small = randomImage(5, 6);
    const to = { height: 3, width: 9 };
    const before = resize(small, to);
    resize(randomImage(1, 1), { height: 5000, width: 5000 });
    expect(resize(small, to)).to.deep.equal(before);
  });
});

describe('Resizing by the shorter side and cropping', () => {
  /** An image whose pixels say their row and column. */
  const grid = (height: number, width: number): Image => ({
    height,
    width,
    pixels: Uint8Array.from({ length: 3 * height * width }, (_, i) => {
      const pixel = Math.floor(i / 3);
      return [Math.floor(pixel / width), pixel % width, 7][i % 3];
    }),
  });
  const firstPixel = (image: Image, height: number, width: number) => [
    ...resize(image, { height, width, shorterSide: Math.min(image.height, image.width) }).subarray(0, 3),
  ];

  it('cuts out the middle, a half row rounded to the even number', () => {
    expect(firstPixel(grid(10, 20), 10, 10)).to.deep.equal([0, 5, 7]);
    expect(firstPixel(grid(10, 13), 8, 8)).to.deep.equal([1, 2, 7]);
    expect(firstPixel(grid(15, 10), 8, 9)).to.deep.equal([4, 0, 7]);
  });

  it('pads with black what is smaller', () => {
    const pixels = resize(grid(2, 3), { height: 4, width: 4, shorterSide: 2 });
    const row = (y: number) => [...pixels.subarray(12 * y, 12 * (y + 1))];
    expect(row(0)).to.deep.equal(new Array(12).fill(0));
    expect(row(2)).to.deep.equal([1, 0, 7, 1, 1, 7, 1, 2, 7, 0, 0, 0]);
  });

  it('takes the nearest pixel', () => {
    const pixels = resize(grid(3, 5), { height: 2, width: 4, filter: 'nearest' });
    const columns = [0, 1, 3, 4];
    expect([...pixels]).to.deep.equal([0, 2].flatMap((row) => columns.flatMap((column) => [row, column, 7])));
  });

  it('puts all of an image into a border, in the middle or top left', () => {
    const to = { height: 4, width: 4 };
    const framing = { fit: 'contain', to, rounding: 'round', place: 'middle', border: [9, 8, 6] } as const;
    const image = grid(2, 4);
    const border = Array.from({ length: 4 }, () => [9, 8, 6]).flat();
    const middle = [...resize(image, { ...to, framing })];
    expect(middle).to.deep.equal([...border, ...image.pixels, ...border]);
    const start = [...resize(image, { ...to, framing: { ...framing, place: 'start' } })];
    expect(start).to.deep.equal([...image.pixels, ...border, ...border]);
  });

  it('stretches and then cuts, at a half pixel by either rule', () => {
    const framing = { fit: 'stretch', to: { height: 11, width: 11 }, rounding: 'truncate' } as const;
    const first = (place: 'middle' | 'middle-floor') => [
      ...resize(grid(11, 11), { height: 8, width: 8, framing: { ...framing, place } }).subarray(0, 3),
    ];
    expect(first('middle')).to.deep.equal([2, 2, 7]);
    expect(first('middle-floor')).to.deep.equal([1, 1, 7]);
  });

  it('keeps the aspect', () => {
    const { pixels } = randomImage(30, 60);
    const whole = resize({ height: 30, width: 60, pixels }, { height: 10, width: 20 });
    const middle = resize({ height: 30, width: 60, pixels }, { height: 10, width: 10, shorterSide: 10 });
    for (let y = 0; y < 10; y++)
      expect(middle.subarray(30 * y, 30 * (y + 1))).to.deep.equal(whole.subarray(60 * y + 15, 60 * y + 45));
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
