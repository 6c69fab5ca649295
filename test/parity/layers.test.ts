import { cpSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openFeatures } from '../../converters/hdf5/open-features.ts';
import { defaultFitOptions, LayerFitter } from '../../src/detectors/layer-svm.ts';
import { decisionFunction, fitOneClassSvm } from '../../src/detectors/ocsvm/one-class-svm.ts';
import { RbfKernel } from '../../src/detectors/ocsvm/rbf-kernel.ts';
import { standardize } from '../../src/detectors/standard-scaler.ts';
import { importCheckpoint } from '../../src/pipeline/classifier/import-checkpoint.ts';
import { extractFeatures } from '../../src/pipeline/features/extract-features.ts';
import { RunFolder } from '../../src/pipeline/run-folder.ts';
import { reference, unpackedReference } from '../reference.ts';
import { python } from './python.ts';

/** What `layer.py` prints. */
interface OriginalLayer {
  readonly gamma: number;
  readonly error: number;
  readonly errors: readonly number[];
  readonly undecided: number;
  readonly edges: number;
  readonly mean: readonly number[];
  readonly scale: readonly number[];
  readonly decisions: readonly number[];
}

/** Of every width that densenet100 has: 24, 48, 12, 108, 150, 10. */
const LAYERS = [0, 1, 2, 9, 20, 33, 40, 51, 66, 81, 90, 99];

const IMAGES_PER_CLASS = 1000;

describe('detectors of real layers beside scikit-learn', () => {
  const folder = mkdtempSync(join(tmpdir(), 'la-ood-layers-'));
  after(() => rm(folder, { recursive: true }));

  it('12 layers of densenet100, 10,000 images: scaler, edges, gamma, errors, decision values', async function () {
    this.timeout(900_000);
    const checkpoint = reference(this, 'checkpoints', 'densenet100-cifar10.pth.tar');
    const images = join(unpackedReference(this, 'data', 'cifar10-jpeg.tar.xz'), 'train');
    for (const name of readdirSync(images)) {
      mkdirSync(join(folder, 'images', name), { recursive: true });
      for (const file of readdirSync(join(images, name)).sort().slice(0, IMAGES_PER_CLASS))
        cpSync(join(images, name, file), join(folder, 'images', name, file));
    }
    const normalization = { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] };
    await importCheckpoint(checkpoint, join(folder, 'backbone.onnx'), { normalization });
    await RunFolder.use(folder, (run) =>
      extractFeatures(run, { train: { name: 'cifar10', source: join(folder, 'images') } }),
    );

    const features = await openFeatures(join(folder, 'features', 'cifar10_train.hdf5'));
    const fitter = await LayerFitter.open();
    const kernel = await RbfKernel.open();
    for (const index of LAYERS) {
      const width = features.widths[index];
      const values = features.readLayer(index);
      const file = join(folder, `${index}.bin`);
      writeFileSync(file, values);
      const theirs = await python<OriginalLayer>('layer.py', file, String(width));
      const ours = await fitter.fit(String(index), values, width, {
        ...defaultFitOptions,
        compat: 'original',
      });

      const name = `layer ${index}`;
      console.log(`        ${name} (${width} wide): gamma ${ours.gamma}, ${theirs.gamma}`);
      for (let j = 0; j < width; j++) {
        expect(ours.scaler.mean[j], name).closeTo(theirs.mean[j], 1e-6 * theirs.scale[j]);
        expect(ours.scaler.scale[j] / theirs.scale[j], name).closeTo(1, 1e-6);
      }
      expect(ours.fit.edgePoints, name).equals(theirs.edges);
      const [best, second] = [...theirs.errors].sort((a, b) => a - b);
      if (second > 1.01 * best) expect(ours.gamma, name).equals(theirs.gamma);
      if (ours.gamma !== theirs.gamma) continue;
      expect(ours.fit.error, name).closeTo(theirs.error, theirs.undecided + 1e-12);

      const samples = kernel.points(standardize(ours.scaler, values), width);
      const { nu, gamma } = ours;
      const svm = await fitOneClassSvm(kernel, samples, { nu, gamma, tolerance: 1e-3 });
      const decisions = await decisionFunction(kernel, svm, samples);
      for (let i = 0; i < theirs.decisions.length; i++)
        expect(decisions[i], name).closeTo(theirs.decisions[i], 3e-3);
    }
    features.close();
  });
});
