import { expect } from 'chai';
import { generatedNames } from '../../../data/generated/generated-set.ts';
import { openImageSet } from '../../../data/open.ts';

const size = { height: 32, width: 32 };

describe('Generated sets', () => {
  for (const name of generatedNames)
    describe(name, () => {
      it('is 10,000 images without classes, drawn from the seed', async () => {
        const set = await openImageSet(name);
        expect(set).to.include({ name, length: 10_000 });
        expect([set.classes, set.label(0)]).to.deep.equal([undefined, undefined]);
        const first = await set.read(0, 2, size);
        expect(await (await openImageSet(name, { count: 7 })).read(0, 2, size)).to.deep.equal(first);
        expect(await (await openImageSet(name, { seed: 1 })).read(0, 2, size)).not.to.deep.equal(first);
        expect(first.subarray(0, 3072)).not.to.deep.equal(first.subarray(3072));
      });

      it('is the same wherever one begins to read, in every size', async () => {
        const set = await openImageSet(name);
        for (const size of [
          { height: 32, width: 32 },
          { height: 20, width: 40 },
        ]) {
          const stride = 3 * size.height * size.width;
          const pixels = await set.read(100, 3, size);
          expect(pixels).to.have.length(3 * stride);
          expect(await set.read(101, 1, size)).to.deep.equal(pixels.subarray(stride, 2 * stride));
        }
      });

      it('has a fingerprint that tells seed and number', async () => {
        const fingerprint = async (options: object) => (await openImageSet(name, options)).fingerprint();
        const first = await fingerprint({});
        expect(first).to.match(/^[0-9a-f]{64}$/);
        expect(await fingerprint({ name: 'other' })).to.equal(first);
        expect(await fingerprint({ seed: 1 })).not.to.equal(first);
        expect(await fingerprint({ count: 9 })).not.to.equal(first);
      });
    });

  it('have the distributions that they are named after', async () => {
    const share = async (name: string, holds: (sample: number) => boolean) => {
      const pixels = await (await openImageSet(name)).read(0, 50, size);
      return pixels.filter(holds).length / pixels.length;
    };
    // The normal distribution has 30.85 % below -0.5; bytes round half a step off.
    expect(await share('gaussian_noise', (sample) => sample === 0)).to.be.closeTo(0.309, 0.005);
    expect(await share('gaussian_noise', (sample) => sample === 255)).to.be.closeTo(0.309, 0.005);
    expect(await share('uniform_noise', (sample) => sample < 64)).to.be.closeTo(0.25, 0.005);
    expect(await share('uniform_noise', (sample) => sample === 255)).to.be.closeTo(1 / 256, 0.001);
    expect(await share('blobs', (sample) => sample === 0)).to.be.within(0.5, 0.95);
    expect(await share('blobs', (sample) => sample > 0 && sample < 191)).to.equal(0);
  });
});

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
});
