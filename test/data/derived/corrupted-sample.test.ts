import { expect } from 'chai';
import { conditionsOf } from '../../../data/derived/conditions.ts';
import { corruptedSample, sampleChanges } from '../../../data/derived/corrupted-sample.ts';
import { openImageSet } from '../../../data/open.ts';
import { randomNumbers } from '../../../data/subset.ts';
import { RandomState } from '../../../src/common/random.ts';

const size = { height: 32, width: 32 };
const stride = 3 * size.height * size.width;

describe('A corrupted sample', () => {
  const few = () => openImageSet('demo:test', { name: 'few', count: 7 });

  it('is images as they are, then the same ones by each condition', async () => {
    const source = await few();
    const sample = corruptedSample(source, 'few_corrupted', size);
    const changes = sampleChanges(size);
    expect(changes).to.have.length(8);
    expect(sample).to.include({ name: 'few_corrupted', length: 7 * 8 });
    expect(sample.classes).to.equal(undefined);
    const all = await sample.read(0, 56, size);
    const block = (c: number) => all.subarray(7 * c * stride, 7 * (c + 1) * stride);
    expect(block(0)).to.deep.equal(await source.read(0, 7, size));
    for (const [c, { name, change }] of conditionsOf(size).entries()) {
      expect(sample.imageName(7 * (c + 1) + 2)).to.equal(`${source.imageName(2)} (${name})`);
      if (name.startsWith('noise')) continue;
      const pixels = block(0).subarray(2 * stride, 3 * stride);
      const expected = await change({ ...size, pixels }, new RandomState(0));
      expect(block(c + 1).subarray(2 * stride, 3 * stride), name).to.deep.equal(expected);
    }
    expect(new Set(changes.map((_, c) => block(c).join())).size).to.equal(8);
  });

  it('knows strong blur on larger images only', () => {
    const names = (side: number) => conditionsOf({ height: side, width: side }).map(({ name }) => name);
    expect(names(32)).not.to.include('blur 2 px');
    expect(names(224)).to.deep.equal([...names(32).slice(0, 2), 'blur 2 px', ...names(32).slice(2)]);
  });

  it('changes what its conditions say', async () => {
    const pixels = await (await few()).read(0, 1, size);
    const by = async (name: string) =>
      conditionsOf(size)
        .find((condition) => condition.name.startsWith(name))!
        .change({ ...size, pixels }, new RandomState(0));
    const mean = (values: Uint8Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(await by('brightness +'))).to.be.greaterThan(mean(pixels) + 20);
    expect(mean(await by('brightness −'))).to.be.lessThan(mean(pixels) - 5);
    const spread = (values: Uint8Array) =>
      Math.sqrt(mean(Uint8Array.from(values, (v) => Math.abs(v - mean(values)))));
    expect(spread(await by('contrast'))).to.be.lessThan(0.9 * spread(pixels));
    const gray = await by('saturation');
    const color = (values: Uint8Array) => Math.abs(values[0] - values[1]) + Math.abs(values[1] - values[2]);
    expect(color(gray)).to.be.at.most(color(pixels));
  });

  it('reads the same in parts, across conditions too', async () => {
    const sample = corruptedSample(await few(), 'few_corrupted', size);
    const all = await sample.read(0, 56, size);
    for (const [start, count] of [
      [5, 4],
      [0, 15],
      [20, 8],
      [33, 16],
      [13, 1],
    ])
      expect(await sample.read(start, count, size)).to.deep.equal(
        all.subarray(start * stride, (start + count) * stride),
      );
  });

  it('is drawn at random of a larger set, in its order, and known by it', async () => {
    const source = await openImageSet('demo:train', { count: 3000 });
    const sample = corruptedSample(source, 'corrupted', size);
    expect(sample.length).to.equal(8 * 200);
    expect(corruptedSample(source, 'corrupted', size, 50).length).to.equal(8 * 50);
    const drawn = [...randomNumbers(3000, 200, 0)].sort((a, b) => a - b);
    expect(sample.imageName(199)).to.include(source.imageName(drawn[199]));
    const again = corruptedSample(await openImageSet('demo:train', { count: 3000 }), 'corrupted', size);
    expect(await again.fingerprint()).to.equal(await sample.fingerprint());
    const others = corruptedSample(await openImageSet('demo:train', { count: 2999 }), 'corrupted', size);
    expect(await others.fingerprint()).not.to.equal(await sample.fingerprint());
  });
});
