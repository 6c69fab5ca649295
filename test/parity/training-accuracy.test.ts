import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import sharp from 'sharp';
import { openImageSet } from '../../data/open.ts';
import { imagenetNormalisation } from '../../models/architecture.ts';
import { packageRoot } from '../../src/common/package-root.ts';
import { exportCheckpoint } from '../../src/pipeline/export-checkpoint.ts';
import { RunFolder } from '../../src/pipeline/run-folder.ts';
import { trainBackbone } from '../../src/pipeline/train.ts';
import { python } from './python.ts';

const SIZE = { height: 32, width: 32 };

describe('weights that were trained here', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-trained-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('classify as many images right under PyTorch, within 0.1 points', async () => {
    const [train, test] = [await files('demo:train:1000', 'train'), await files('demo:test:1000', 'test')];
    const run = join(folder, 'run');
    const from = fileURLToPath(new URL('data/demo/backbone.onnx', packageRoot));
    const recipe = { epochs: 2, crop: 2 };
    const { best } = await RunFolder.use(run, (opened) =>
      trainBackbone(opened, { train, test, from, recipe, engine: 'tfjs-node' }),
    );
    const weights = join(folder, 'weights.pth');
    await exportCheckpoint(join(run, 'backbone.onnx'), weights);
    const { mean, std } = imagenetNormalisation;
    const theirs = await python<{ images: number; accuracy: number }>(
      'accuracy.py',
      ...[test, 'resnet20', weights, JSON.stringify(mean), JSON.stringify(std)],
    );
    console.log(`        ${theirs.images} images: ours ${best.testAccuracy}, PyTorch ${theirs.accuracy}`);
    expect(theirs.images).equals(1000);
    expect(best.testAccuracy).above(0.9);
    expect(theirs.accuracy).closeTo(best.testAccuracy, 0.001 + 1e-9);
  });

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
});
