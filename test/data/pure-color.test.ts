import { expect } from 'chai';
import { openImageSet } from '../../data/open.ts';

describe('pure_color', () => {
  it('is 10,000 images of one colour each', async () => {
    const set = await openImageSet('pure_color');
    expect(set.length).to.equal(10_000);
    expect(set.label(0)).to.equal(undefined);
    const pixels = await set.read(9_998, 2, { height: 4, width: 6 });
    expect(pixels).to.have.length(2 * 72);
    for (const i of [0, 1]) {
      const image = pixels.subarray(72 * i, 72 * (i + 1));
      expect(image).to.deep.equal(Uint8Array.from(image, (_, j) => image[j % 3]));
    }
    expect(pixels.subarray(0, 72)).not.to.deep.equal(pixels.subarray(72));
  });

  it("has the colours of NumPy's RandomState(0).randint(0, 256, (10000, 3))", async () => {
    const pixels = await (await openImageSet('pure_color')).read(0, 3, { height: 1, width: 1 });
    expect([...pixels]).to.deep.equal([172, 47, 117, 192, 67, 251, 195, 103, 9]);
  });

  it('reaches 255 by default, and never as the original draws it', async () => {
    const greatest = async (compat?: 'original') => {
      const set = await openImageSet('pure_color', { compat });
      return (await set.read(0, set.length, { height: 1, width: 1 })).reduce((a, b) => Math.max(a, b));
    };
    expect(await greatest()).to.equal(255);
    expect(await greatest('original')).to.equal(254);
  });

  it('changes with the seed', async () => {
    const fingerprint = async (seed: number) => (await openImageSet('pure_color', { seed })).fingerprint();
    expect(await fingerprint(1)).to.equal(await fingerprint(1));
    expect(await fingerprint(1)).not.to.equal(await fingerprint(0));
  });
});
