import { truncate, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { openImageSet } from '../../data/open.ts';
import { undamaged } from '../../data/undamaged.ts';
import { DataError } from '../../src/common/errors.ts';
import { temporaryFolder, writeImage } from './images.ts';
import { rejection } from './rejection.ts';

const size = { height: 1, width: 1 };

describe('A set without its damaged images', () => {
  const folder = temporaryFolder();

  before(async () => {
    for (let i = 0; i < 150; i++) await writeImage(folder.at('set', `${1000 + i}.png`), [i, 2, 3], 4);
  });

  it('is the set itself where there are none', async () => {
    const set = await openImageSet(folder.at('set'));
    expect(await undamaged(set)).to.deep.equal({ images: set, skipped: [] });
  });

  it('keeps the others in order, and says what it left out', async () => {
    for (const name of ['1003.png', '1070.png', '1149.png']) await truncate(folder.at('set', name), 30);
    const set = await openImageSet(folder.at('set'));
    const { images, skipped } = await undamaged(set);
    expect(skipped).to.deep.equal(['1003.png', '1070.png', '1149.png']);
    expect([images.length, images.imageName(3), images.imageName(146)]).to.deep.equal([
      147,
      '1004.png',
      '1148.png',
    ]);
    const reds = (await images.read(0, 147, size)).filter((_, i) => i % 3 === 0);
    expect([...reds]).to.deep.equal(
      Array.from({ length: 150 }, (_, i) => i).filter((i) => ![3, 70, 149].includes(i)),
    );
    expect([...(await images.read(68, 3, size))].filter((_, i) => i % 3 === 0)).to.deep.equal([69, 71, 72]);
    expect(await images.fingerprint()).not.to.equal(await set.fingerprint());
  });

  it('says why an image is not there', async () => {
    await writeImage(folder.at('listed/a.png'), [1, 2, 3]);
    await writeFile(folder.at('listed/list.txt'), 'a.png 0\nmissing.png 1\n');
    const { images } = await undamaged(await openImageSet(folder.at('listed/list.txt')));
    expect(images.leftOut).to.deep.equal([{ name: 'missing.png', kind: 'cannot be read (ENOENT)' }]);
  });

  it('is refused where nothing is left', async () => {
    await writeImage(folder.at('bad/a.png'), [1, 2, 3]);
    await truncate(folder.at('bad/a.png'), 30);
    const set = await openImageSet(folder.at('bad'));
    expect((await rejection(undamaged(set), DataError)).message).to.match(
      /bad: has no image that can be decoded/,
    );
  });
});
