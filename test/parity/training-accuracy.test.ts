import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import sharp from 'sharp';
import { openImageSet } from '../../data/open.ts';
import { imagenetNormalization } from '../../models/architecture.ts';
import { backboneMetadata } from '../../models/metadata.ts';
import { packageRoot } from '../../src/common/package-root.ts';
import { readModel } from '../../src/graph/read.ts';
import { exportCheckpoint } from '../../src/pipeline/classifier/export-checkpoint.ts';
import { importCheckpoint } from '../../src/pipeline/classifier/import-checkpoint.ts';
import { RunFolder } from '../../src/pipeline/run-folder.ts';
import { type TrainReport, trainBackbone } from '../../src/pipeline/training/train-backbone.ts';
import type { Recipe } from '../../src/training/recipe.ts';
import { json } from '../cli/run.ts';
import { reference, unpackedReference } from '../reference.ts';
import { python } from './python.ts';

const SIZE = { height: 32, width: 32 };

describe('weights that were trained here', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-trained-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('classify as many images right under PyTorch, within 0.1 points', async () => {
    const sets = {
      train: await files('demo:train:1000', 'train'),
      test: await files('demo:test:1000', 'test'),
    };
    const from = fileURLToPath(new URL('data/demo/backbone.onnx', packageRoot));
    const best = await tuneAndCompare('resnet20', from, sets, { epochs: 2, crop: 2 });
    expect(best).above(0.9);
  });

  for (const [architecture, file, least] of [
    // Their training is another test's; here it is that they are trained at all, and come back.
    ['vgg16', 'vgg16-cifar10.h5', 0.7],
    ['resnet34', 'resnet34-cifar10-synthetic.h5', 0],
  ] as const)
    it(`so do those of ${file}`, async function () {
      const checkpoint = reference(this, 'checkpoints', file);
      const cifar = unpackedReference(this, 'data', 'cifar10-jpeg.tar.xz');
      const sets = { train: some(join(cifar, 'train'), 10), test: some(join(cifar, 'test'), 30) };
      const from = join(folder, `${architecture}.onnx`);
      await importCheckpoint(checkpoint, from);
      expect(await tuneAndCompare(architecture, from, sets, { epochs: 1 })).above(least);
    });

  it("are made by the command that trains the demo's backbone, here of fewer images", async () => {
    const { scripts } = JSON.parse(await readFile(new URL('package.json', packageRoot), 'utf8'));
    const [, line] = /main\.js (train .*)$/.exec(scripts['demo:backbone'])!;
    const run = join(folder, 'drawn');
    const smaller = { 'runs/demo-backbone': run, 'demo:train:64000': 'demo:train:1000', '6': '2' };
    const args = line.split(' ').map((arg) => smaller[arg as keyof typeof smaller] ?? arg);
    const { epochs } = await json<TrainReport>(...args);
    expect(epochs).length(2);
    expect(epochs[1].trainLoss).below(epochs[0].trainLoss - 0.1);
    const { architecture } = backboneMetadata(await readModel(join(run, 'backbone.onnx')));
    expect(architecture).equals('resnet20');
  });

  /** Trains a little, and gives the share of the test images that is classified right here and under PyTorch. */
  async function tuneAndCompare(
    architecture: string,
    from: string,
    sets: { train: string; test: string },
    recipe: Partial<Recipe>,
  ): Promise<number> {
    const run = join(folder, `run-${architecture}`);
    const { best } = await RunFolder.use(run, (opened) => trainBackbone(opened, { ...sets, from, recipe }));
    const weights = join(folder, `${architecture}.pth`);
    await exportCheckpoint(join(run, 'backbone.onnx'), weights);
    const { mean, std } = imagenetNormalization;
    const theirs = await python<{ images: number; accuracy: number }>(
      'accuracy.py',
      ...[sets.test, architecture, weights, JSON.stringify(mean), JSON.stringify(std)],
    );
    console.log(`        ${theirs.images} images: ours ${best.testAccuracy}, PyTorch ${theirs.accuracy}`);
    expect(theirs.accuracy).closeTo(best.testAccuracy, 0.001 + 1e-9);
    return best.testAccuracy;
  }

  /** A set as PNG files in a folder a class, so that both sides read the same. */
  async function files(spec: string, name: string): Promise<string> {
    const set = await openImageSet(spec);
    const pixels = await set.read(0, set.length, SIZE);
    const bytes = 3 * SIZE.height * SIZE.width;
    for (let i = 0; i < set.length; i++) {
      const of = join(folder, name, String(set.label(i)));
      await mkdir(of, { recursive: true });
      await sharp(pixels.subarray(i * bytes, (i + 1) * bytes), { raw: { ...SIZE, channels: 3 } })
        .png({ compressionLevel: 1 })
        .toFile(join(of, `${String(i).padStart(5, '0')}.png`));
    }
    return join(folder, name);
  }

  /** A copy of the first images of each class. */
  function some(source: string, each: number): string {
    const target = join(folder, `${each}-a-class`);
    for (const name of readdirSync(source)) {
      mkdirSync(join(target, name), { recursive: true });
      for (const file of readdirSync(join(source, name)).sort().slice(0, each))
        copyFileSync(join(source, name, file), join(target, name, file));
    }
    return target;
  }
});
