import { link, mkdir } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { Names } from '../../data/files/packed-names.ts';
import { openImageSet } from '../../data/open.ts';
import { temporaryFolder, writeImage } from './images.ts';

setFlagsFromString('--expose_gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes that are in use after garbage is collected, in V8's heap and beside it. */
function inUse(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe('A large folder', () => {
  const folder = temporaryFolder();
  const images = 20_000;

  before(async () => {
    await writeImage(folder.at('source.png'), [1, 2, 3], 4);
    await mkdir(folder.at('set'));
    for (let start = 0; start < images; start += 1000)
      await Promise.all(
        Array.from({ length: 1000 }, (_, i) =>
          link(folder.at('source.png'), folder.at('set', `a-name-as-long-as-many-are-${start + i}.png`)),
        ),
      );
  });

  it('is listed in less than 100 bytes an image, its names of 36 included', async () => {
    await openImageSet(folder.at('set'));
    const before = inUse();
    const set = await openImageSet(folder.at('set'));
    const bytes = (inUse() - before) / images;
    expect(set.length).to.equal(images);
    expect(bytes).to.be.below(100);
  });

  it('is in the order of text, and its first images come without the rest', async () => {
    const set = await openImageSet(folder.at('set'));
    const names = Array.from({ length: images }, (_, i) => set.imageName(i));
    expect(names).to.deep.equal([...names].sort());
    expect(await set.read(0, 2, { height: 1, width: 1 })).to.deep.equal(Uint8Array.of(1, 2, 3, 1, 2, 3));
  });
});

describe('Names', () => {
  it("come back as they were added, and compare as Python's text does", () => {
    const texts = ['b', 'a', '', 'ä', '\u{1f600}', '\uff5e', 'a/b', 'a-b', 'x'.repeat(20_000), 'é'];
    const names = new Names();
    for (const text of texts) names.add(text);
    expect(texts.map((_, i) => names.at(i))).to.deep.equal(texts);
    const order = texts.map((_, i) => i).sort((a, b) => names.compare(a, b));
    const points = (text: string) => Array.from(text, (character) => character.codePointAt(0)!);
    const expected = ['', 'a', 'a-b', 'a/b', 'b', texts[8], 'ä', 'é', '\uff5e', '\u{1f600}'];
    expect(order.map((i) => names.at(i))).to.deep.equal(expected);
    expect(points(expected[8])[0]).to.be.below(points(expected[9])[0]);
  });
});
