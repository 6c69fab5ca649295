import { expect } from 'chai';
import { derivations } from '../../../data/derived/derived-set.ts';
import type { ImageSet } from '../../../data/image-set.ts';
import { openImageSet } from '../../../data/open.ts';
import { DataError } from '../../../src/common/errors.ts';
import { rejection } from '../rejection.ts';

const size = { height: 32, width: 32 };
const stride = 3 * size.height * size.width;

describe('Derived sets', () => {
  const source = () => openImageSet('demo:test');
  const kinds = [...new Set(derivations.map((name) => name.replace(/-\d$/, '')))];
  const strengths = kinds.filter((name) => name.endsWith('@'));

  it('keep number, classes, labels and names, and say what they are', async () => {
    const [shapes, negative] = [await source(), await openImageSet('inverted:demo:test')];
    expect(negative).to.include({ name: 'inverted_demo_test', length: shapes.length });
    expect(negative.classes).to.deep.equal(shapes.classes);
    expect([negative.label(3), negative.imageName(3)]).to.deep.equal([shapes.label(3), shapes.imageName(3)]);
  });

  it('by inversion are the negative, and twice the image', async () => {
    const pixels = await (await source()).read(5, 2, size);
    const once = await (await openImageSet('inverted:demo:test')).read(5, 2, size);
    expect(once).to.deep.equal(pixels.map((sample) => 255 - sample));
    const twice = await openImageSet('inverted:inverted:demo:test');
    expect(await twice.read(5, 2, size)).to.deep.equal(pixels);
  });

  it('by permutation have the same pixels in another order, for each image its own', async () => {
    const ofEach = (pixels: Uint8Array) =>
      Array.from({ length: pixels.length / 3 }, (_, i) => pixels.subarray(3 * i, 3 * i + 3).join());
    const pixels = await (await source()).read(0, 1, size);
    const mixed = await (await openImageSet('permuted:demo:test')).read(0, 1, size);
    expect(mixed).not.to.deep.equal(pixels);
    expect(ofEach(mixed).sort()).to.deep.equal(ofEach(pixels).sort());
    const noise = await (await openImageSet('permuted:uniform_noise')).read(0, 2, size);
    const before = await (await openImageSet('uniform_noise')).read(0, 2, size);
    const places = [0, 1].map((image) => {
      const half = (all: Uint8Array) => ofEach(all.subarray(image * stride, (image + 1) * stride));
      return half(noise).map((pixel) => half(before).indexOf(pixel));
    });
    expect(places[0]).not.to.deep.equal(places[1]);
  });

  for (const kind of kinds.filter((name) => !['inverted', 'permuted', ...strengths].includes(name)))
    it(`by ${kind} depart further at each severity, small and large, and read the same in parts`, async () => {
      for (const side of [32, 96]) {
        const to = { height: side, width: side };
        const original = await (await source()).read(0, 6, to);
        const distances: number[] = [];
        for (let severity = 1; severity <= 5; severity++) {
          const set = await openImageSet(`${kind}-${severity}:demo:test`);
          const pixels = await set.read(0, 6, to);
          distances.push(meanDifference(pixels, original));
          const one = 3 * side * side;
          expect(await set.read(4, 1, to)).to.deep.equal(pixels.subarray(4 * one, 5 * one));
        }
        expect(distances[0]).to.be.above(0);
        // The first two severities of saturation take colour away, the others add some.
        if (kind === 'saturate') distances.splice(0, 2);
        expect(distances).to.deep.equal([...distances].sort((a, b) => a - b));
      }
    });

  it('by a strength change images more the stronger it is, and not at all where that says so', async () => {
    const original = await (await source()).read(0, 6, size);
    const by = async (change: string) => (await openImageSet(`${change}:demo:test`)).read(0, 6, size);
    /** Of every kind: what changes nothing, a little, and more. */
    const cases: Readonly<Record<string, readonly [number, number, number]>> = {
      ...{ 'noise@': [0, 0.04, 0.08], 'blur@': [0.1, 0.7, 1.2], 'jpeg@': [100, 40, 20] },
      ...{ 'contrast@': [1, 0.5, 0.3], 'brightness@': [0, -0.1, -0.2], 'saturation@': [1, 0.5, 0.3] },
      ...{ 'fade-grey@': [0, 0.3, 0.5], 'fade-white@': [0, 0.3, 0.5], 'sharpen@': [0, 0.5, 1] },
      ...{ 'gamma@': [1, 1.2, 1.5], 'cast@': [0, 0.1, 0.15], 'hue@': [0, 0.1, 0.2] },
      ...{ 'posterize@': [8, 4, 3], 'cutout@': [0, 0.25, 0.5], 'pixelate@': [1, 0.7, 0.5] },
    };
    expect(Object.keys(cases)).to.have.members(strengths);
    for (const [kind, [none, little, more]] of Object.entries(cases)) {
      const away = async (strength: number) => meanDifference(await by(`${kind}${strength}`), original);
      // A file of the best quality is no copy.
      if (kind !== 'jpeg@') expect(await away(none), kind).to.equal(0);
      expect(await away(little), kind).to.be.above(0.1);
      expect(await away(more), kind).to.be.above(await away(little));
    }
    const [sample] = await by('brightness@.2');
    expect(sample).to.equal(Math.min(255, original[0] + 51));
    expect(await by('cast@.15')).to.deep.equal(
      original.map((value, i) => Math.min(255, Math.round(value * [1.15, 1, 0.85][i % 3]))),
    );
  });

  it('leave an image of one colour as it is, where they only move or soften', async () => {
    const plain = await openImageSet('pure_color', { count: 20 });
    for (const by of ['permuted', 'gaussian_blur-5', 'contrast-5', 'pixelate-5']) {
      const set = await openImageSet(`${by}:pure_color`, { count: 20 });
      expect(await set.read(0, 20, size), by).to.deep.equal(await plain.read(0, 20, size));
    }
  });

  it('have fingerprints that tell kind, severity, seed and source', async () => {
    const specs = [
      'inverted:blobs',
      'permuted:blobs',
      'contrast-1:blobs',
      'contrast-2:blobs',
      'contrast-1:uniform_noise',
    ];
    const sets: ImageSet[] = await Promise.all(specs.map((spec) => openImageSet(spec)));
    sets.push(await openImageSet('permuted:blobs', { seed: 3 }));
    const prints = await Promise.all(sets.map((set) => set.fingerprint()));
    expect(new Set(prints).size).to.equal(prints.length);
  });

  it('are refused by name where kind or severity are none', async () => {
    const message = async (spec: string) => (await rejection(openImageSet(spec), DataError)).message;
    expect(await message('contrast:blobs')).to.equal(
      'contrast:blobs: lacks a severity; say contrast-1:blobs to contrast-5:blobs',
    );
    expect(await message('contrast-6:blobs')).to.include('has no severity 6; say contrast-1:blobs');
    expect(await message('fade-grey@2:blobs')).to.equal(
      'fade-grey@2:blobs: has no strength 2; say a number from 0 to 1 behind fade-grey@',
    );
    expect(await message('contrast@:blobs')).to.include('has no strength ; say a number');
    expect(await message('contrst-2:blobs')).to.include('did you mean contrast-2:blobs?');
    expect(await message('inverted:blob')).to.include('did you mean blobs?');
  });
});

function meanDifference(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((sum, sample, i) => sum + Math.abs(sample - b[i]), 0) / a.length;
}
