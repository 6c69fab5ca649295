import { mkdir, readFile, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect } from 'chai';
import sharp from 'sharp';
import { openImageSet } from '../../data/open.ts';
import { DataError } from '../../src/common/errors.ts';
import { png } from './files.ts';
import { temporaryFolder, writeImage } from './images.ts';
import { rejection } from './rejection.ts';

const size = { height: 32, width: 32 };

describe('A folder of images', () => {
  const folder = temporaryFolder();

  describe('with classes', () => {
    before(async () => {
      await writeImage(folder.at('set/train/dog/2.png'), [1, 2, 3]);
      await writeImage(folder.at('set/train/dog/10.png'), [4, 5, 6]);
      await writeImage(folder.at('set/train/dog/B.PNG'), [7, 8, 9]);
      await writeImage(folder.at('set/train/Cat/nested/a.png'), [10, 11, 12]);
      await writeImage(folder.at('set/train/Cat/z.png'), [13, 14, 15]);
      await writeFile(folder.at('set/train/dog/readme.txt'), 'not an image');
      await writeImage(folder.at('set/train/dog/.hidden.png'), [0, 0, 0]);
      await writeImage(folder.at('set/test/dog/1.png'), [16, 17, 18]);
    });

    it('is in the order of class and path, by character code', async () => {
      const set = await openImageSet(folder.at('set/train'));
      const names = Array.from({ length: set.length }, (_, i) => set.imageName(i));
      expect(names).to.deep.equal(['Cat/nested/a.png', 'Cat/z.png', 'dog/10.png', 'dog/2.png', 'dog/B.PNG']);
      expect(set.classes).to.deep.equal(['Cat', 'dog']);
      expect(names.map((_, i) => set.label(i))).to.deep.equal([0, 0, 1, 1, 1]);
      expect(set.name).to.equal('set_train');
    });

    it('reads any part', async () => {
      const set = await openImageSet(`${folder.at('set')}:train`);
      const pixels = await set.read(1, 3, size);
      expect(pixels).to.have.length(3 * 3072);
      expect([
        ...pixels.subarray(0, 3),
        ...pixels.subarray(3072, 3075),
        ...pixels.subarray(6144, 6147),
      ]).to.deep.equal([13, 14, 15, 4, 5, 6, 1, 2, 3]);
    });

    it('asks for the part where it has several', async () => {
      const error = await rejection(openImageSet(folder.at('set')), DataError);
      expect(error.message).to.match(/holds the parts test, train of a set, not classes; say .*set:test$/);
    });

    it('opens under the name that it is given', async () => {
      expect((await openImageSet(folder.at('set/train'), { name: 'pets' })).name).to.equal('pets');
    });

    it('has a fingerprint that changes with a file', async () => {
      const set = await openImageSet(folder.at('set/train'));
      const before = await set.fingerprint();
      expect(await (await openImageSet(folder.at('set/train'))).fingerprint()).to.equal(before);
      await utimes(folder.at('set/train/dog/2.png'), 1, 1);
      expect(await set.fingerprint()).not.to.equal(before);
    });

    it('follows links to class folders', async () => {
      await mkdir(folder.at('linked'));
      for (const name of ['dog', 'Cat'])
        await symlink(folder.at('set/train', name), folder.at('linked', name));
      expect((await openImageSet(folder.at('linked'))).length).to.equal(5);
    });
  });

  it('without classes, or with one folder in it, has no labels', async () => {
    await writeImage(folder.at('flat/images/b.jpg'), [9, 9, 9]);
    await writeImage(folder.at('flat/images/a.jpg'), [99, 99, 99]);
    for (const path of ['flat', 'flat/images']) {
      const set = await openImageSet(folder.at(path));
      expect(set.length).to.equal(2);
      expect(set.imageName(0)).to.match(/a\.jpg$/);
      expect(set.label(0)).to.equal(undefined);
      expect(set.classes).to.equal(undefined);
    }
  });

  it('stretches images of other sizes', async () => {
    await writeImage(folder.at('large/a.png'), [50, 60, 70], 100);
    const pixels = await (await openImageSet(folder.at('large'))).read(0, 1, { height: 5, width: 8 });
    expect([...pixels]).to.deep.equal(Array.from({ length: 120 }, (_, i) => [50, 60, 70][i % 3]));
  });

  it('names the damaged image in the middle', async () => {
    for (const name of ['a', 'b', 'c'])
      await writeImage(folder.at('damaged', `${name}.jpg`), [200, 10, 30], 400);
    const set = await openImageSet(folder.at('damaged'));
    for (const damage of [
      (file: string) => truncate(file, 900),
      (file: string) => truncate(file, 0),
      (file: string) => writeFile(file, '<html>not found</html>'),
    ]) {
      await damage(folder.at('damaged/b.jpg'));
      const error = await rejection(set.read(0, 3, size), DataError);
      expect(error.where).to.equal(folder.at('damaged/b.jpg'));
      expect(error.message).to.match(
        /b\.jpg: cannot be decoded \([^\n]+\); replace the image, or take it out of the set$/,
      );
    }
  });

  it('refuses an image of too many pixels before it is decoded', async () => {
    const file = folder.at('bomb/a.png');
    await writeImage(file, [0, 0, 0]);
    await writeFile(file, claimSize(await readFile(file), 20_000, 20_000));
    const set = await openImageSet(dirname(file));
    expect((await rejection(set.read(0, 1, size), DataError)).message).to.match(/a\.png: cannot be decoded/);
  });

  it('is told by what is in its files, and names those that are not read', async () => {
    const image = await png(1, 2, 3);
    await mkdir(folder.at('people'));
    const write = (name: string | Buffer, bytes: Uint8Array | string) =>
      writeFile(typeof name === 'string' ? folder.at('people', name) : name, bytes);
    for (const name of ['a.JFIF', 'b.jpe', 'c']) await write(name, image);
    await write('d.tif', await sharp(image).tiff({ compression: 'none' }).toBuffer());
    await write('e.heic', Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic'));
    await write('f.txt', 'notes');
    await write('g', '');
    const latin1 = Buffer.concat([
      Buffer.from(folder.at('people', 'caf')),
      Buffer.of(0xe9),
      Buffer.from('.png'),
    ]);
    await write(latin1, image);
    const set = await openImageSet(folder.at('people'));
    const names = Array.from({ length: set.length }, (_, i) => set.imageName(i));
    expect(names).to.deep.equal(['a.JFIF', 'b.jpe', 'c', 'caf\\xe9.png', 'd.tif']);
    expect([...(await set.read(0, 5, { height: 1, width: 1 }))]).to.deep.equal(
      Array(5).fill([1, 2, 3]).flat(),
    );
    expect(await set.fingerprint()).to.have.length(64);
    const leftOut = [...set.leftOut!].sort((a, b) => (a.name < b.name ? -1 : 1));
    expect(leftOut).to.deep.equal([
      { name: 'e.heic', kind: 'HEIC' },
      { name: 'f.txt', kind: 'text' },
      { name: 'g', kind: 'empty' },
    ]);
    const some = await openImageSet(folder.at('people', '[cd]*').replace('[cd]', '?'));
    expect(some.leftOut).to.have.length(3);
    const one = await openImageSet(folder.at('people', 'c'));
    expect(one.length).to.equal(1);
  });

  it('says what is wrong with a folder that is not a set', async () => {
    await mkdir(folder.at('empty'));
    await writeImage(folder.at('mixed/a.png'), [0, 0, 0]);
    await writeImage(folder.at('mixed/class/b.png'), [0, 0, 0]);
    await writeFile(folder.at('weights.bin'), 'x');
    const messages = {
      empty: /empty: holds no images; expected files that end in \.jpg/,
      mixed: /mixed: holds images directly \(a\.png\) and in sub-folders \(class\/b\.png\)/,
      'weights.bin': /weights\.bin: is text, not a set of images/,
      mixd: /mixd: no such file or folder, and no built-in set; did you mean .*mixed\?/,
      'mixed:train': /train: no such file or folder/,
    };
    for (const [path, message] of Object.entries(messages))
      expect((await rejection(openImageSet(folder.at(path)), DataError)).message).to.match(message);
  });
});

/** A PNG whose header claims another size. */
function claimSize(png: Buffer, width: number, height: number): Buffer {
  const copy = Buffer.from(png);
  copy.writeUInt32BE(width, 16);
  copy.writeUInt32BE(height, 20);
  return copy;
}
