import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Evaluation, FeatureReport } from '../../src/index.ts';
import { reference, unpackedReference } from '../reference.ts';
import { temporaryFolder } from './files.ts';
import { json, laOod } from './run.ts';

describe('a published checkpoint and real images, from the command line', () => {
  const at = temporaryFolder();

  it('end in a table, and the way back ends in the same weights', async function () {
    const checkpoint = reference(this, 'checkpoints', 'resnet20-12fca82f.th');
    const cifar = unpackedReference(this, 'data', 'cifar10-jpeg.tar.xz');
    const tiny = unpackedReference(this, 'data', 'tinyjpeg.tar.xz');
    copySome(join(cifar, 'train'), at('cifar', 'train'), 50);
    copySome(join(cifar, 'test'), at('cifar', 'test'), 20);
    copySome(tiny, at('tiny'), 200);
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
    expect(train.images).equals(500);
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

/** Copies the first files of a folder, or of each of its sub-folders. */
function copySome(source: string, target: string, count: number): void {
  mkdirSync(target, { recursive: true });
  const entries = readdirSync(source, { withFileTypes: true });
  for (const { name } of entries.filter((entry) => entry.isDirectory()))
    copySome(join(source, name), join(target, name), count);
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  for (const name of files.sort().slice(0, count)) cpSync(join(source, name), join(target, name));
}
