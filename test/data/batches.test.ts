import { truncate } from 'node:fs/promises';
import { expect } from 'chai';
import { batches } from '../../data/batches.ts';
import type { ImageSet } from '../../data/image-set.ts';
import { openImageSet } from '../../data/open.ts';
import { DataError } from '../../src/common/errors.ts';
import { temporaryFolder, writeImage } from './images.ts';
import { rejection } from './rejection.ts';

const size = { height: 2, width: 2 };

describe('Batches of a set', () => {
  const folder = temporaryFolder();

  it('cover it once, in order', async () => {
    const set = await openImageSet('pure_color', { count: 10 });
    const seen: Uint8Array[] = [];
    const extents: [number, number][] = [];
    for await (const { start, count, pixels } of batches(set, { batch: 4, size })) {
      seen.push(pixels);
      extents.push([start, count]);
    }
    expect(extents).to.deep.equal([
      [0, 4],
      [4, 4],
      [8, 2],
    ]);
    expect(Buffer.concat(seen)).to.deep.equal(Buffer.from(await set.read(0, 10, size)));
  });

  it('begin and end where they are told', async () => {
    const set = await openImageSet('pure_color', { count: 10 });
    expect(await extents(set, { start: 3, end: 8 })).to.deep.equal([
      [3, 4],
      [7, 1],
    ]);
    expect(await extents(set, { start: 5, end: 5 })).to.deep.equal([]);
  });

  it('refuse to read more images than there are', async () => {
    const set = await openImageSet('pure_color', { count: 10 });
    const { message } = await rejection(extents(set, { end: 11 }), DataError);
    expect(message).to.equal('pure_color: has 10 images, 11 are asked for; ask for fewer');
  });

  it('come before the damaged image that a later one has', async () => {
    for (const name of ['a', 'b']) await writeImage(folder.at('set', `${name}.png`), [1, 2, 3]);
    const set = await openImageSet(folder.path);
    await truncate(folder.at('set/b.png'), 20);
    const reader = batches(set, { batch: 1, size });
    expect((await reader.next()).value).to.include({ start: 0, count: 1 });
    // Long enough for the second batch to have failed while nobody waits for it.
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await rejection(reader.next(), DataError)).where).to.equal(folder.at('set/b.png'));
  });
});

async function extents(set: ImageSet, range: { start?: number; end?: number }): Promise<[number, number][]> {
  const list: [number, number][] = [];
  for await (const { start, count } of batches(set, { batch: 4, size, ...range })) list.push([start, count]);
  return list;
}
