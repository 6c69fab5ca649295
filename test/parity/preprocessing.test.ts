import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openImageSet } from '../../data/open.ts';
import { toFloat32 } from '../../src/common/tensor.ts';
import { readModel } from '../../src/graph/read.ts';
import { importClassifier } from '../../src/pipeline/classifier/import-classifier.ts';
import { featureGraph } from '../../src/pipeline/features/feature-graph.ts';
import { runOnPixels } from '../../src/pipeline/run-graph.ts';
import { python } from './python.ts';

interface Made {
  /** By case: ten of each image. */
  readonly logits: Readonly<Record<string, readonly (readonly number[])[]>>;
  /** How far the processors of torchvision are from those of Pillow, as a share of the largest value. */
  readonly apart: Readonly<Record<string, number>>;
}

describe('preprocessing as configured, beside transformers and timm', () => {
  let folder: string;
  let made: Made;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-preprocessing-'));
    made = await python<Made>('preprocessing.py', folder);
  });
  after(() => rm(folder, { recursive: true }));

  it('gives the logits that they give, for every class of image processors that is followed', async () => {
    for (const [name, wanted] of Object.entries(made.logits)) expectClose(name, await logitsOf(name), wanted);
  });

  it('reads configurations as transformers saves them, with what is not set as null', async () => {
    for (const name of Object.keys(made.logits).filter((name) => !name.startsWith('timm'))) {
      const saved = join(folder, name, 'saved');
      expect(await readdir(saved)).to.include('preprocessor_config.json');
      await copyFile(join(folder, name, 'model.onnx'), join(saved, 'model.onnx'));
      expectClose(name, await logitsOf(join(name, 'saved')), made.logits[name]);
    }
  });

  async function logitsOf(name: string): Promise<number[][]> {
    const home = join(folder, name);
    const target = join(home, 'backbone.onnx');
    await importClassifier(join(home, 'model.onnx'), target);
    const graph = featureGraph(await readModel(target), target);
    const photos = await openImageSet(join(folder, 'photos'));
    const pixels = await photos.read(0, photos.length, graph.size);
    const [{ logits }] = await runOnPixels(graph.model, target, graph.size, [pixels]);
    const values = [...toFloat32(logits)];
    return Array.from({ length: photos.length }, (_, i) => values.slice(10 * i, 10 * i + 10));
  }

  function expectClose(name: string, ours: number[][], theirs: readonly (readonly number[])[]) {
    expect(ours).to.have.length(theirs.length);
    const largest = Math.max(...theirs.flat().map(Math.abs));
    const difference = Math.max(
      ...theirs.flatMap((row, i) => row.map((value, c) => Math.abs(value - ours[i][c]))),
    );
    expect(difference / largest, name).to.be.below(1e-5);
  }
});
