import { readFile, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { openImageSet, RandomState } from '../../src/index.ts';
import { mat, png, zip } from '../data/files.ts';
import { imageFolder, temporaryFolder } from './files.ts';
import { json, laOod } from './run.ts';

interface Result {
  readonly sets: { set: string; images: number; of: number; file: string; done: string }[];
}

const size = { height: 32, width: 32 };

describe('la-ood datasets', () => {
  const at = temporaryFolder();
  const datasets = (...args: string[]) => json<Result>('datasets', '--output', at('datasets'), ...args);
  const digits = 40;
  const bytes = Uint8Array.from({ length: 3072 * digits }, (_, i) => (Math.imul(i, 0x9e3779b1) >>> 24) % 256);

  before(async () => {
    await imageFolder(at('cifar', 'cat'), 'demo:train', 3);
    await imageFolder(at('cifar', 'dog'), 'demo:test', 2);
    const X = { shape: [32, 32, 3, digits], bytes };
    const y = { shape: [digits, 1], bytes: Uint8Array.from({ length: digits }, (_, i) => 1 + (i % 10)) };
    await writeFile(at('digits.mat'), mat({ X, y }));
  });

  it('keeps pixels, labels and class names', async () => {
    const { sets } = await datasets('--train', `pets=${at('cifar')}`, '--test', `pets=${at('cifar')}`);
    expect(sets.map(({ set, images, done }) => [set, images, done])).to.deep.equal([
      ['pets_train', 5, 'now'],
      ['pets', 5, 'now'],
    ]);
    const source = await openImageSet(at('cifar'));
    const written = await openImageSet(sets[0].file);
    expect(written.classes).to.deep.equal(['cat', 'dog']);
    expect([0, 1, 2, 3, 4].map(written.label)).to.deep.equal([0, 0, 0, 1, 1]);
    expect(await written.read(0, 5, size)).to.deep.equal(await source.read(0, 5, size));
    expect(await readFile(sets[0].file)).to.deep.equal(await readFile(sets[1].file));
  });

  it('cuts an OOD set to images chosen by the seed, which the manifest names', async () => {
    const { sets } = await datasets('--ood', `svhn=${at('digits.mat')}`, '--limit', '12', '--seed', '3');
    expect(sets[0]).to.include({ set: 'svhn', images: 12, of: digits });
    const manifest = JSON.parse(await readFile(at('datasets', 'manifest.json'), 'utf8'));
    const { seed, chosen } = manifest.steps.svhn.results;
    expect(seed).to.equal(3);
    expect(chosen).to.deep.equal([...new RandomState(3).permutation(digits)].slice(0, 12));
    const [all, cut] = [await openImageSet(at('digits.mat')), await openImageSet(sets[0].file)];
    for (const [place, number] of (chosen as number[]).entries()) {
      expect(await cut.read(place, 1, size)).to.deep.equal(await all.read(number, 1, size));
      expect(cut.label(place)).to.equal(all.label(number));
    }
    const again = await datasets('--ood', `svhn=${at('digits.mat')}`, '--limit', '12', '--seed', '3');
    expect(again.sets[0].done).to.equal('before');
    const other = await datasets('--ood', `svhn=${at('digits.mat')}`, '--limit', '12', '--seed', '4');
    expect(other.sets[0].done).to.equal('now');
  });

  it('writes float64 as the original does, which reads back as the same bytes', async () => {
    const args = [
      '--ood',
      'pure_color',
      `svhn=${at('digits.mat')}`,
      '--limit',
      '300',
      '--compat',
      'original',
    ];
    const { sets } = await datasets(...args, '--size', '8');
    const eight = { height: 8, width: 8 };
    const [color, svhn] = await Promise.all(sets.map(({ file }) => openImageSet(file)));
    const original = await openImageSet('pure_color', { compat: 'original' });
    const chosen = new RandomState(0).permutation(10_000);
    expect([color.length, svhn.length]).to.deep.equal([300, digits]);
    expect(await color.read(299, 1, eight)).to.deep.equal(await original.read(chosen[299], 1, eight));
    const source = await openImageSet(at('digits.mat'));
    expect(await svhn.read(0, digits, eight)).to.deep.equal(await source.read(0, digits, eight));
    expect((await readFile(sets[0].file)).length).to.be.above(8 * 300 * 3 * 64);
  });

  it('leaves no file behind where an image is damaged, and says which', async () => {
    const image = await png(1, 2, 3, 32);
    const members = [
      { name: 'a.png', bytes: image },
      { name: 'b.png', bytes: image.subarray(0, 60) },
    ];
    await writeFile(at('damaged.zip'), await zip(members));
    const { exitCode, stderr } = await laOod(
      'datasets',
      '--quiet',
      '--output',
      at('none'),
      '--ood',
      at('damaged.zip'),
    );
    expect(exitCode).to.equal(1);
    expect(stderr).to.match(/^[^\n]*damaged\.zip: b\.png: cannot be decoded [^\n]*\n$/);
    await readFile(at('none', 'damaged.hdf5')).then(
      () => expect.fail('a file was written'),
      () => {},
    );
    const kept = await datasets('--ood', at('damaged.zip'), '--skip-damaged');
    expect(kept.sets[0]).to.include({ set: 'damaged', images: 1, of: 2 });
  });

  it('refuses two sets of one name, and no set at all', async () => {
    const twice = await laOod(
      'datasets',
      '--output',
      at('none'),
      '--test',
      'a=pure_color',
      '--ood',
      'a=blobs',
    );
    expect([twice.exitCode, twice.stderr]).to.deep.equal([
      2,
      'set a: is named twice; give each set a name of its own (la-ood datasets --help tells more)\n',
    ]);
    expect((await laOod('datasets')).exitCode).to.equal(2);
  });
});
