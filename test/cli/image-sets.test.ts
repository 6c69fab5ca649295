import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { png, tar, zip } from '../data/files.ts';
import { temporaryFolder } from './files.ts';
import { json, laOod } from './run.ts';
import { copyBackbone } from './run-states.ts';

describe('la-ood features, of sets in every form', () => {
  const at = temporaryFolder();
  const features = (...args: string[]) => laOod('features', '--run', at('run'), '--batch', '4', ...args);

  before(async () => {
    await copyBackbone(at('run'));
    const images = await Promise.all([1, 2, 3].map((i) => png(80 * i, 7, 9, 32)));
    const members = images.map((bytes, i) => ({ name: `images/${i}.png`, bytes }));
    await writeFile(at('whole.zip'), await zip(members));
    members[1] = { name: 'images/1.png', bytes: images[1].subarray(0, 50) };
    await writeFile(at('broken.tar'), tar(members));
    await writeFile(at('one.png'), images[0]);
    await mkdir(at('empty'));
  });

  it('reads an archive, and a single image', async () => {
    const sources = ['--ood', at('whole.zip'), `one=${at('one.png')}`];
    const { sets } = await json<{ sets: { images: number }[] }>(
      'features',
      '--run',
      at('run'),
      '--batch',
      '4',
      ...sources,
    );
    expect(sets.map(({ images }) => images)).to.deep.equal([3, 1]);
  });

  it('ends at a damaged image, or leaves it out where that is asked for, and counts it', async () => {
    const refused = await features('--quiet', '--ood', at('broken.tar'));
    expect(refused.exitCode).to.equal(1);
    expect(refused.stderr).to.match(/^[^\n]*broken\.tar: images\/1\.png: cannot be decoded [^\n]*\n$/);
    const { exitCode, stdout } = await features('--ood', at('broken.tar'), '--skip-damaged');
    expect(exitCode).to.equal(0);
    expect(stdout).to.match(/^broken_test +2 /m);
    expect(stdout).to.include('Skipped 1 of 3 images of broken_test, which cannot be decoded: images/1.png.');
    expect(await readFile(at('run', 'manifest.json'), 'utf8')).to.include('"images/1.png"');
  });

  it('names what is not read, in words and for machines, and exits with 3 under --strict', async () => {
    await mkdir(at('people'));
    await writeFile(at('people', 'a.png'), await png(1, 2, 3, 32));
    await writeFile(at('people', 'b.heic'), '\0\0\0\x18ftypheic\0\0\0\0mif1heic');
    await writeFile(at('people', 'c.jpg'), 'cut');
    const args = ['--ood', `people=${at('people')}`, '--skip-damaged'];
    const { exitCode, stdout } = await features(...args, '--strict');
    expect(exitCode).to.equal(3);
    expect(stdout).to.match(
      /^Left out of [^\n]*people: 2 files not read: b\.heic \(HEIC\), c\.jpg \(damaged\)\.$/m,
    );
    const { leftOut } = await json<{ leftOut: unknown }>('inspect', at('people'));
    const files = [
      { name: 'b.heic', kind: 'HEIC' },
      { name: 'c.jpg', kind: 'damaged' },
    ];
    expect(leftOut).to.deep.equal([{ set: at('people'), count: 2, files }]);
    expect((await laOod('inspect', at('people', 'a.png'), '--strict')).exitCode).to.equal(0);
  });

  it('names it again in every command that works on those features', async () => {
    const [half, others] = [at('half'), at('others')];
    for (const [folder, red] of [
      [half, 0],
      [others, 3],
    ] as const) {
      await mkdir(folder);
      for (let i = 0; i < 40; i++)
        await writeFile(join(folder, `${i}.png`), await png(6 * i + red, 7 * i, 9, 32));
    }
    await writeFile(join(half, 'b.heic'), '\0\0\0\x18ftypheic\0\0\0\0mif1heic');
    const run = ['--run', at('half-run')];
    await copyBackbone(at('half-run'));
    const sets = ['--train', `half=${half}`, '--test', `half=${others}`, '--ood', `other=${half}`];
    const { stdout } = await laOod('features', ...run, '--batch', '8', '--corrupted', '0', ...sets);
    expect(stdout).to.match(/^set +images +left out .*\nhalf_train +40 +1 /);
    const toldBy = async (...command: string[]) => {
      const { leftOut } = await json<{ leftOut: unknown }>(...command, ...run);
      expect(leftOut, command[0]).to.deep.equal([
        { set: half, count: 1, files: [{ name: 'b.heic', kind: 'HEIC' }] },
      ]);
    };
    await toldBy('fit', '--nu', '.5', '--layers', '0');
    const evaluated = await laOod('evaluate', ...run, '--strict');
    expect(evaluated.exitCode).to.equal(3);
    expect(evaluated.stdout).to.match(/^Left out of [^\n]*half: 1 file not read: b\.heic \(HEIC\)\.$/m);
    expect(await readFile(at('half-run', 'report.html'), 'utf8')).to.include('that were left out');
    await toldBy('guard', '--false-alarms', '.5', '--detector', 'msp');
  });

  it('refuses an empty folder in one line', async () => {
    const { exitCode, stderr } = await features('--quiet', '--ood', at('empty'));
    expect(exitCode).to.equal(1);
    expect(stderr).to.match(/^[^\n]*empty: holds no images; expected files that end in \.jpg [^\n]*\n$/);
  });
});
