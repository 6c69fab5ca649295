import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import sharp from 'sharp';
import { openImageSet } from '../../data/open.ts';
import type { DuplicateReport, ImagesInspection } from '../../src/index.ts';
import { png, zip } from '../data/files.ts';
import { writeImage } from '../data/images.ts';
import { checkpoint, imageFolder, temporaryFolder } from './files.ts';
import { json, laOod } from './run.ts';

describe('la-ood inspect, of images', () => {
  const at = temporaryFolder();

  before(async () => {
    for (let i = 0; i < 3; i++) await writeImage(at('pets', 'cat', `${i}.png`), [255, 0, 0], 40);
    await writeImage(at('pets', 'dog', '0.jpg'), [0, 0, 255], 64);
  });

  it('says how many, how large, of which classes', async () => {
    const { stdout } = await laOod('inspect', at('pets'));
    expect(stdout).to.match(/^is +4 images, 3 \.png, 1 \.jpg$/m);
    expect(stdout).to.match(/^size +40×40 \(3\), 64×64 \(1\)$/m);
    expect(stdout).to.match(/^cat +3\ndog +1$/m);
  });

  it('tells an archive of images from one of weights, and knows generated sets', async () => {
    await writeFile(at('pets.zip'), await zip([{ name: 'a/1.png', bytes: await png(1, 2, 3, 9) }]));
    const archive = await json<ImagesInspection>('inspect', at('pets.zip'));
    expect(archive).to.deep.include({ kind: 'images', images: 1, stored: 'files', measured: 1 });
    await checkpoint(at('weights.zip'));
    expect(await json('inspect', at('weights.zip'))).to.include({ kind: 'checkpoint' });
    const drawn = await json<ImagesInspection>('inspect', 'inverted:pure_color');
    expect(drawn).to.deep.include({ kind: 'images', images: 10_000, stored: 'drawn', sizes: [] });
  });

  it('shows the images on a sheet, in the order of the set', async () => {
    await json('inspect', at('pets'), '--sheet', at('sheet.png'));
    const { data, info } = await sharp(at('sheet.png')).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).to.deep.equal([266, 68, 3]);
    const pixel = (x: number, y: number) => [...data.subarray(3 * (266 * y + x), 3 * (266 * y + x + 1))];
    expect(pixel(0, 0)).to.deep.equal([255, 255, 255]);
    for (const image of [0, 1, 2]) expect(pixel(2 + 66 * image, 2)).to.deep.equal([255, 0, 0]);
    expect(pixel(2 + 66 * 3 + 63, 65)[2]).to.be.above(250);
    await json('inspect', 'demo:train', '--sheet', at('a.png'), '--seed', '1');
    await json('inspect', 'demo:train', '--sheet', at('b.png'), '--seed', '1');
    expect(await readFile(at('a.png'))).to.deep.equal(await readFile(at('b.png')));
  });

  it('refuses a sheet of weights', async () => {
    const { exitCode, stderr } = await laOod('inspect', at('weights.zip'), '--sheet', at('no.png'));
    expect(exitCode).to.equal(2);
    expect(stderr).to.include('is no set of images');
  });
});

describe('la-ood duplicates', () => {
  const at = temporaryFolder();

  it('finds images that are in two sets, however they were saved, and no others', async () => {
    await imageFolder(at('ind'), 'demo:train', 200);
    await imageFolder(at('same'), 'demo:train', 3);
    await mkdir(at('near'));
    const [train, side] = [await openImageSet('demo:train'), { height: 32, width: 32 }];
    for (const i of [10, 11, 12, 13])
      await sharp(await train.read(i, 1, side), { raw: { ...side, channels: 3 } })
        .resize(64, 64)
        .jpeg({ quality: 80 })
        .toFile(at('near', `${i}.jpg`));
    await imageFolder(at('other'), 'demo:shapes', 100);
    const sets = ['same', 'near', 'other'].map((name) => at(name));
    const { images, others } = await json<DuplicateReport>('duplicates', at('ind'), ...sets);
    expect(images).to.equal(200);
    expect(others.map(({ exact, near }) => [exact, near])).to.deep.equal([
      [3, 0],
      [0, 4],
      [0, 0],
    ]);
    expect(others[1].duplicates).to.deep.equal(
      [10, 11, 12, 13].map((i) => ({ image: `${i}.jpg`, of: `00${i}.bmp`, exact: false })),
    );
  });

  it('compares colours where there is nothing else to compare', async () => {
    await writeImage(at('flat', 'red.png'), [200, 0, 0]);
    await writeImage(at('colours', 'blue.png'), [0, 0, 200]);
    await writeImage(at('colours', 'nearly red.png'), [203, 0, 0]);
    const { stdout } = await laOod('duplicates', at('flat'), at('colours'));
    expect(stdout).to.match(/colours +2 +0 +1$/m);
    expect(stdout).to.include('colours: nearly red.png is nearly red.png');
  });
});
