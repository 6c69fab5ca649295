import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { methods } from '../../src/detectors/methods/method-registry.ts';
import type { Evaluation } from '../../src/evaluation/evaluate.ts';
import { laOod } from '../cli/run.ts';
import { unpackedReference } from '../reference.ts';
import { python } from './python.ts';

const CLASSES = 1000;

/** Pixels of an image's side: what is tested does not depend on it, and 224 take twelve times as long. */
const SIZE = 64;

const counts = { train: 250, test: 250, ood: 60 };

describe('a classifier of ImageNet’s size', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-imagenet-'));
    await python('imagenet-sized.py', join(folder, 'resnet50.onnx'), String(SIZE));
  });
  after(() => rm(folder, { recursive: true }));

  it('resnet50, 1,000 classes and a head input of 2,048: all methods are fitted, and score', async function () {
    const images = join(
      unpackedReference(this, 'data', 'tiny-imagenet-test.tar.xz'),
      'tiny-imagenet-200/test/images',
    );
    const run = ['--run', join(folder, 'run')];
    const list = async (name: string, first: number, count: number) => {
      const path = join(images, `${name}.txt`);
      // Labels are made up: 125 classes have two images, the others none, as is usual where a few hundred are of 1,000.
      const lines = Array.from(
        { length: count },
        (_, i) => `test_${first + i}.JPEG ${(i * 8 + 7) % CLASSES}\n`,
      );
      await writeFile(path, lines.join(''));
      return path;
    };
    const train = await list('train', 0, counts.train);
    const test = await list('held-out', counts.train, counts.test);
    const ood = await list('other', 1000, counts.ood);
    await succeeds(
      'features',
      join(folder, 'resnet50.onnx'),
      ...run,
      '--corrupted',
      '0',
      ...['--mean', '.485', '.456', '.406', '--std', '.229', '.224', '.225'],
      ...['--train', `ind=${train}`, '--test', `ind=${test}`, '--ood', `near:other=${ood}`],
    );
    await succeeds('fit', ...run, '--workers', '1');
    await succeeds('evaluate', ...run, '--methods', 'all');

    const summary = await readFile(join(folder, 'run', 'results', 'summary.json'), 'utf8');
    const { methods: table }: Evaluation = JSON.parse(summary);
    expect(table.methods.map(({ name }) => name)).to.deep.equal(methods.map(({ title }) => title));
    for (const { name, sets } of table.methods) expect(sets[0].auroc, name).to.be.within(0.2, 0.8);
  });
});

async function succeeds(...args: string[]): Promise<void> {
  const { exitCode, stderr } = await laOod(...args);
  expect(exitCode, stderr).to.equal(0);
}
