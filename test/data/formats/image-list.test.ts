import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { expect } from 'chai';
import { openImageSet } from '../../../data/open.ts';
import { DataError } from '../../../src/common/errors.ts';
import { temporaryFolder, writeImage } from '../images.ts';
import { rejection } from '../rejection.ts';

const size = { height: 1, width: 1 };

describe('A list of images', () => {
  const folder = temporaryFolder();
  const list = async (path: string, lines: string) => {
    await mkdir(dirname(folder.at(path)), { recursive: true });
    await writeFile(folder.at(path), lines);
    return folder.at(path);
  };

  before(async () => {
    await writeImage(folder.at('data/images_classic/cifar10/a b.png'), [1, 2, 3]);
    await writeImage(folder.at('data/images_classic/cifar10/c.png'), [4, 5, 6]);
  });

  it('is in its own order, with its labels; -1 is none', async () => {
    const path = await list(
      'data/benchmark_imglist/cifar10/test.txt',
      'cifar10/c.png 3\r\n\ncifar10/a b.png -1\ncifar10/c.png 0\n',
    );
    const set = await openImageSet(path);
    expect([0, 1, 2].map(set.imageName)).to.deep.equal(['cifar10/c.png', 'cifar10/a b.png', 'cifar10/c.png']);
    expect([0, 1, 2].map(set.label)).to.deep.equal([3, undefined, 0]);
    expect(set.classes).to.have.length(4);
    expect([...(await set.read(0, 3, size))]).to.deep.equal([4, 5, 6, 1, 2, 3, 4, 5, 6]);
  });

  it('may do without labels', async () => {
    const set = await openImageSet(
      await list('data/images_classic/all.txt', 'cifar10/a b.png\ncifar10/c.png'),
    );
    expect([set.length, set.label(0), set.classes]).to.deep.equal([2, undefined, undefined]);
  });

  it('may be a table, quoted, with names of classes, or with what OpenOOD adds', async () => {
    const forms: [string, string][] = [
      ['cifar10/c.png,1\ncifar10/a b.png,0', '0 1'],
      ['"cifar10/c.png", 1\n"cifar10/a b.png", 0', '0 1'],
      ['filename,label\ncifar10/c.png,dog\ncifar10/a b.png,"cat, small"', 'cat, small dog'],
      ['id;label;path\n7;dog;cifar10/c.png\n8;cat;cifar10/a b.png', 'cat dog'],
      ['cifar10/c.png\tgolden retriever\ncifar10/a b.png\tcat', 'cat golden retriever'],
      [`cifar10/c.png {'label': 1, 'soft': [0, 1]}\ncifar10/a b.png {"label": 0}`, '0 1'],
      ['\ufeffcifar10/c.png 1\r\ncifar10/a b.png 0\r\n', '0 1'],
    ];
    for (const [lines, classes] of forms) {
      const set = await openImageSet(await list('data/benchmark_imglist/form.txt', lines));
      expect([set.length, set.imageName(1)], lines).to.deep.equal([2, 'cifar10/a b.png']);
      expect(set.classes!.join(' '), lines).to.equal(classes);
      expect([0, 1].map(set.label), lines).to.deep.equal([1, 0]);
    }
  });

  it('finds its images in any folder of images beside it or above', async () => {
    await writeImage(folder.at('data/images_medical/xray/d.png'), [7, 8, 9]);
    const set = await openImageSet(await list('data/benchmark_imglist/medical/test.txt', 'xray/d.png 0'));
    expect([...(await set.read(0, 1, size))]).to.deep.equal([7, 8, 9]);
  });

  it('may name files in bytes that are no UTF-8', async () => {
    const latin1 = (text: string) => Buffer.from(text, 'latin1');
    await mkdir(folder.at('latin1'));
    await copyFile(
      folder.at('data/images_classic/cifar10/c.png'),
      Buffer.concat([Buffer.from(`${folder.at('latin1')}/`), latin1('caf\xe9.png')]),
    );
    await writeImage(folder.at('latin1/ü.png'), [7, 8, 9]);
    await writeFile(
      folder.at('latin1/list.txt'),
      Buffer.concat([latin1('caf\xe9.png 1\n'), Buffer.from('ü.png 0\n')]),
    );
    const set = await openImageSet(folder.at('latin1/list.txt'));
    expect([0, 1].map(set.imageName)).to.deep.equal(['caf\\xe9.png', 'ü.png']);
    expect([...(await set.read(0, 2, size))]).to.deep.equal([4, 5, 6, 7, 8, 9]);
  });

  it('names the line that is wrong', async () => {
    const refusals: [string, RegExp][] = [
      ['cifar10/c.png 1\n../../secret.png 2', /line 2: \.\.\/\.\.\/secret\.png leads out of the folder/],
      ['cifar10/c.png 1\n/etc/secret.png 2', /line 2: \/etc\/secret\.png leads out of the folder/],
      ['cifar10/c.png 1\ncifar10/c.png', /line 2: cifar10\/c\.png has no label; give all lines a label/],
      ['cifar10/c.png\ncifar10/c.png 5', /line 2: cifar10\/c\.png has a label/],
      ['cifar10/c.png 99999999', /line 1: cifar10\/c\.png has the label 99999999; labels go up to/],
      [`cifar10/c.png 1\n${'x'.repeat(5000)}.png`, /line 2 is too long/],
      ['elsewhere/c.png 1', /names elsewhere\/c\.png, which is not in the list's folder, nor above it/],
    ];
    for (const [lines, message] of refusals) {
      const path = await list('data/images_classic/bad.txt', lines);
      expect((await rejection(openImageSet(path), DataError)).message).to.match(message);
    }
  });

  it('names an image that is missing when it is read', async () => {
    const path = await list('data/images_classic/missing.txt', 'cifar10/c.png\ncifar10/gone.png');
    const set = await openImageSet(path);
    expect((await rejection(set.read(0, 2, size), DataError)).message).to.match(
      /gone\.png: cannot be read \(ENOENT/,
    );
    expect((await rejection(set.fingerprint(), DataError)).message).to.match(/gone\.png: no such file/);
  });
});
