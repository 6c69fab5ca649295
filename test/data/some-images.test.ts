import { mkdir } from 'node:fs/promises';
import { expect } from 'chai';
import sharp from 'sharp';
import { openImageSet } from '../../data/open.ts';
import { temporaryFolder } from './images.ts';

describe('SET:50', () => {
  const folder = temporaryFolder();

  it('is so many images of any set, drawn by the seed', async () => {
    const images = folder.at('images');
    await sharpFolder(images, 9);
    const all = await openImageSet(images);
    const names = (set: typeof all) => Array.from({ length: set.length }, (_, i) => set.imageName(i));
    const some = await openImageSet(`${images}:4`);
    expect(some.name).to.equal(all.name);
    expect(names(some)).to.have.length(4);
    expect(names(all)).to.include.members(names(some));
    expect(names(some)).to.deep.equal([...names(some)].sort());
    expect(names(await openImageSet(`${images}:4`))).to.deep.equal(names(some));
    expect(names(await openImageSet(`${images}:4`, { seed: 1 }))).not.to.deep.equal(names(some));
    expect(names(await openImageSet(`${images}:50`))).to.deep.equal(names(all));
    expect(names(await openImageSet(`inverted:${images}:4`))).to.deep.equal(names(some));
  });

  it('is the first images of a generated set', async () => {
    for (const name of ['pure_color', 'blobs', 'demo:noise']) {
      const [some, more] = await Promise.all([`${name}:5`, `${name}:7`].map((spec) => openImageSet(spec)));
      expect([some.length, more.length]).to.deep.equal([5, 7]);
      const size = { height: 32, width: 32 };
      expect(await some.read(0, 5, size)).to.deep.equal(await more.read(0, 5, size));
    }
  });

  async function sharpFolder(path: string, count: number) {
    await mkdir(path, { recursive: true });
    for (let i = 0; i < count; i++)
      await sharp({ create: { width: 4, height: 4, channels: 3, background: { r: 20 * i, g: 0, b: 0 } } })
        .png()
        .toFile(`${path}/${i}.png`);
  }
});
