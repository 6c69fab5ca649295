import { expect } from 'chai';
import { corruptedSample, probedCorruptions } from '../../data/derived/corrupted-sample.ts';
import type { ImageSet } from '../../data/image-set.ts';
import { openImageSet } from '../../data/open.ts';
import { randomNumbers } from '../../data/subset.ts';

const size = { height: 32, width: 32 };
const stride = 3 * size.height * size.width;

describe('A corrupted sample', () => {
  const few = () => openImageSet('demo:test', { name: 'few', count: 7 });

  it('is the same images by each corruption, changed as the derived sets are', async () => {
    const source = await few();
    const sample = corruptedSample(source, 'few_corrupted');
    expect(sample).to.include({ name: 'few_corrupted', length: 7 * 7 });
    expect(sample.classes).to.equal(undefined);
    const all = await sample.read(0, 49, size);
    for (const [k, corruption] of probedCorruptions.entries()) {
      const own = all.subarray(7 * k * stride, 7 * (k + 1) * stride);
      expect(own).to.deep.equal(await changed(corruption, source));
      expect(sample.imageName(7 * k + 2)).to.equal(`${source.imageName(2)} (${corruption})`);
    }
    expect(
      new Set(probedCorruptions.map((_, k) => all.subarray(7 * k * stride, 7 * (k + 1) * stride).join()))
        .size,
    ).to.equal(7);
  });

  it('reads the same in parts, across corruptions too', async () => {
    const sample = corruptedSample(await few(), 'few_corrupted');
    const all = await sample.read(0, 49, size);
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
    const sample = corruptedSample(source, 'corrupted');
    expect(sample.length).to.equal(7000);
    const drawn = [...randomNumbers(3000, 1000, 0)].sort((a, b) => a - b);
    expect(sample.imageName(999)).to.include(source.imageName(drawn[999]));
    const again = corruptedSample(await openImageSet('demo:train', { count: 3000 }), 'corrupted');
    expect(await again.fingerprint()).to.equal(await sample.fingerprint());
    const others = corruptedSample(await openImageSet('demo:train', { count: 2999 }), 'corrupted');
    expect(await others.fingerprint()).not.to.equal(await sample.fingerprint());
  });

  async function changed(corruption: string, source: ImageSet): Promise<Uint8Array> {
    const set = await openImageSet(`${corruption}:demo:test:${source.length}`);
    return set.read(0, source.length, size);
  }
});
