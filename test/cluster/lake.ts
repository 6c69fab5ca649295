import { copyFile, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context } from 'mocha';
import { packageRoot } from '../../src/common/package-root.ts';
import { extractFeatures, fitDetectors, guardRun, importCheckpoint, RunFolder } from '../../src/index.ts';
import { imageFolder } from '../cli/files.ts';
import { unpackedReference } from '../reference.ts';

/** Images in a folder, and a model to score them with. */
export interface Lake {
  readonly model: string;
  readonly images: string;
  readonly count: number;
  /** A part of them. */
  readonly few: string;
}

/**
 * 20,000 real images and a published ResNet-20 where there is reference data; the demo's backbone and drawings elsewhere.
 *
 * @param at makes paths in a folder for it
 */
export async function makeLake(test: Context, at: (...parts: string[]) => string): Promise<Lake> {
  const [run, images] = [at('run'), at('images')];
  await mkdir(run);
  await mkdir(images);
  const lake = { model: join(run, 'guarded.onnx'), images };
  if (!process.env.LA_OOD_REFERENCE) {
    await copyFile(new URL('data/demo/backbone.onnx', packageRoot), join(run, 'backbone.onnx'));
    await guard(run, 'demo:train', 'demo:test');
    const few = await imageFolder(join(images, 'noise'), 'demo:noise', 500, 'png');
    await imageFolder(join(images, 'shapes'), 'demo:test:5000', 5000, 'png');
    return { ...lake, count: 5500, few };
  }
  const checkpoint = join(process.env.LA_OOD_REFERENCE, 'checkpoints', 'resnet20-12fca82f.th');
  const cifar = unpackedReference(test, 'data', 'cifar10-jpeg.tar.xz');
  const tiny = unpackedReference(test, 'data', 'tinyjpeg.tar.xz');
  await importCheckpoint(checkpoint, join(run, 'backbone.onnx'));
  // A tenth of the training images.
  await guard(run, join(cifar, 'train', '*', '???5.jpg'), join(cifar, 'test'));
  await symlink(join(cifar, 'test'), join(images, 'cifar10'));
  await symlink(tiny, join(images, 'tinyjpeg'));
  return { ...lake, count: 20_000, few: join(cifar, 'test', 'cat') };
}

function guard(path: string, train: string, test: string): Promise<unknown> {
  return RunFolder.use(path, async (run) => {
    const set = (source: string) => ({ name: 'ind', source });
    await extractFeatures(run, { train: set(train), test: set(test) });
    await fitDetectors(run);
    await guardRun(run);
  });
}
