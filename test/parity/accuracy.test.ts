import { cpSync, mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { imagenetNormalization } from '../../models/architecture.ts';
import { importCheckpoint } from '../../src/pipeline/classifier/import-checkpoint.ts';
import { extractFeatures } from '../../src/pipeline/features/extract-features.ts';
import { RunFolder } from '../../src/pipeline/run-folder.ts';
import { reference, unpackedReference } from '../reference.ts';
import { python } from './python.ts';

/** Images of each class; all 1,000 with `LA_OOD_IMAGES=1000`. */
const PER_CLASS = Number(process.env.LA_OOD_IMAGES ?? 100);

const densenetNormalization = { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] };

const published = [
  { architecture: 'resnet20', file: 'resnet20-12fca82f.th', normalization: imagenetNormalization },
  { architecture: 'resnet32', file: 'resnet32-d509ac18.th', normalization: imagenetNormalization },
  { architecture: 'resnet44', file: 'resnet44-014dd654.th', normalization: imagenetNormalization },
  { architecture: 'resnet56', file: 'resnet56-4bfd9763.th', normalization: imagenetNormalization },
  { architecture: 'densenet100', file: 'densenet100-cifar10.pth.tar', normalization: densenetNormalization },
];

describe('published weights classify real images as under PyTorch', () => {
  const folder = mkdtempSync(join(tmpdir(), 'la-ood-accuracy-'));
  after(() => rm(folder, { recursive: true }));

  for (const { architecture, file, normalization } of published) {
    it(`${architecture}: accuracy within 0.1 points`, async function () {
      const checkpoint = reference(this, 'checkpoints', file);
      const images = someImages(
        unpackedReference(this, 'data', 'cifar10-jpeg.tar.xz'),
        join(folder, 'images'),
      );
      const path = join(folder, architecture);
      await importCheckpoint(checkpoint, join(path, 'backbone.onnx'), { normalization });
      const [ours] = await RunFolder.use(path, (run) =>
        extractFeatures(run, { test: { name: 'cifar10', source: images } }),
      );
      const { mean, std } = normalization;
      const theirs = await python<{ images: number; accuracy: number }>(
        'accuracy.py',
        ...[images, architecture, checkpoint, JSON.stringify(mean), JSON.stringify(std)],
      );
      console.log(`        ${theirs.images} images: ours ${ours.accuracy}, PyTorch ${theirs.accuracy}`);
      expect(ours.images).equals(theirs.images);
      expect(ours.accuracy).closeTo(theirs.accuracy, 0.001);
    });
  }
});

/** Copies the first test images of each class. */
function someImages(source: string, target: string): string {
  for (const name of readdirSync(join(source, 'test'))) {
    mkdirSync(join(target, name), { recursive: true });
    for (const file of readdirSync(join(source, 'test', name))
      .sort()
      .slice(0, PER_CLASS))
      cpSync(join(source, 'test', name, file), join(target, name, file));
  }
  return target;
}
