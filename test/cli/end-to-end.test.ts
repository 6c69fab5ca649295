import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Evaluation, FeatureReport } from '../../src/index.ts';
import { reference } from '../reference.ts';
import { temporaryFolder } from './files.ts';
import { json, laOod } from './run.ts';

describe('a published checkpoint and real images, from the command line', () => {
  const at = temporaryFolder();

  it('end in a table, and the way back ends in the same weights', async function () {
    const checkpoint = reference(this, 'checkpoints', 'resnet20-12fca82f.th');
    // Of each class 30 and 20 images.
    const some = ['train/*/00[0-2]?.jpg', 'test/*/00[01]?.jpg'];
    unpackSome(reference(this, 'data', 'cifar10-jpeg.tar.xz'), at('cifar'), some);
    unpackSome(reference(this, 'data', 'tinyjpeg.tar.xz'), at('tiny'), ['tinyjpeg/test_[12]??.jpg']);
    const run = at('run');

    await json('import', checkpoint, join(run, 'backbone.onnx'));
    const { sets } = await json<{ sets: FeatureReport[] }>(
      ...['features', '--run', run, '--ind', 'cifar10'],
      ...['--train', at('cifar', 'train'), '--test', at('cifar', 'test')],
      ...['--ood', `tiny=${at('tiny')}`, 'pure_color', '--corrupted', '10'],
    );
    const [train, test] = ['cifar10_train', 'cifar10_test'].map(
      (name) => sets.find(({ set }) => set === name)!,
    );
    expect(train.images).equals(300);
    // Published: 91.7 % on the lossless images; these are JPEGs.
    expect(train.accuracy).within(0.7, 0.95);
    expect(test.accuracy).within(0.7, 0.9);

    await json('fit', '--run', run, '--compat', 'original');
    const { exitCode, stdout } = await laOod('evaluate', '--run', run, '--bootstrap', '50');
    expect(exitCode).equals(0);
    expect(stdout).includes('200 : 200').and.includes('LA-OOD').and.includes('energy');
    const summary: Evaluation = JSON.parse(await readFile(join(run, 'results', 'summary.json'), 'utf8'));
    expect(summary.sets.map(({ ood }) => ood)).members(['tiny', 'pure_color', 'combined']);
    const pure = summary.sets.find(({ ood }) => ood === 'pure_color')!;
    expect(pure.laOod.metrics.auroc).greaterThan(0.98);
    expect(pure.layers).length(20);

    await json('export', join(run, 'backbone.onnx'), at('back.pth'));
    const same = await laOod('compare', checkpoint, at('back.pth'), '--tolerance', '0');
    expect(same.exitCode, same.stderr).equals(0);
  });
});

/** Unpacks the members of an archive that patterns fit: all 60,000 would take longer than the test. */
function unpackSome(archive: string, folder: string, patterns: readonly string[]): void {
  mkdirSync(folder);
  execFileSync('tar', ['-xf', archive, '-C', folder, '--wildcards', ...patterns]);
}
