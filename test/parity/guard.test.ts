import { copyFile, mkdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { expect } from 'chai';
import { packageRoot } from '../../src/common/package-root.ts';
import { RandomState } from '../../src/common/random.ts';
import {
  aggregations,
  calibrate,
  extractFeatures,
  fitDetectors,
  guardRun,
  importCheckpoint,
  RunFolder,
  scoreImages,
} from '../../src/index.ts';
import { temporaryFolder } from '../data/images.ts';
import { reference, unpackedReference } from '../reference.ts';
import { expectSameInPython } from './guarded.ts';

describe("A guarded model in Python's onnxruntime", () => {
  const folder = temporaryFolder();

  it('gives what la-ood score gives, with the built-in backbone', async () => {
    const path = folder.at('demo');
    await mkdir(path);
    await RunFolder.use(path, async (run) => {
      await copyFile(new URL('data/demo/backbone.onnx', packageRoot), run.file('backbone.onnx'));
      await extractFeatures(run, {
        train: { name: 'demo', source: 'demo:train:1000' },
        test: { name: 'demo', source: 'demo:test:500' },
      });
      await fitDetectors(run, { ind: 'demo' });
      for (const detector of ['layer-svms', 'layer-gaussians', 'layer-knn', 'vim', undefined])
        for (const aggregation of detector?.startsWith('layer') ? aggregations : [undefined]) {
          const report = await guardRun(run, { detector, aggregation });
          await expectSameInPython(run, report, 'demo:noise');
        }
    });
  });

  it('gives what la-ood score gives, with a published ResNet-56', async function () {
    const checkpoint = reference(this, 'checkpoints', 'resnet56-4bfd9763.th');
    const cifar = unpackedReference(this, 'data', 'cifar10-jpeg.tar.xz');
    const tiny = unpackedReference(this, 'data', 'tinyjpeg.tar.xz');
    // A fifth of them.
    const test = `${cifar}/test:2000`;
    const path = folder.at('resnet56');
    await mkdir(path);
    await RunFolder.use(path, async (run) => {
      await importCheckpoint(checkpoint, run.file('backbone.onnx'), {});
      await extractFeatures(run, {
        // A tenth of them.
        train: { name: 'cifar10', source: `${cifar}/train/*/???5.jpg` },
        test: { name: 'cifar10', source: test },
      });
      await fitDetectors(run);
      const report = await guardRun(run);
      await expectSameInPython(run, report, tiny);

      const scores: number[] = [];
      let right = 0;
      for await (const { score, image, className } of scoreImages(run.file('guarded.onnx'), [test])) {
        scores.push(score);
        if (basename(dirname(image)) === className) right++;
      }
      expect(scores).to.have.length(2000);
      // Images are named by their folders, which are the classes.
      expect(right).to.be.greaterThan(1500);
      expectBetaBinomial(scores);
    });
  });

  /**
   * The realised false-alarm rates of 200 splits follow the law of split-conformal calibration. The splits overlap, so
   * the reference is the same scheme on independent numbers, a hundred times.
   */
  function expectBetaBinomial(scores: readonly number[]): void {
    const random = new RandomState(7);
    for (const rate of [0.01, 0.05, 0.1]) {
      const found = overSplits(scores, rate, random);
      const simulated = Array.from({ length: 100 }, () =>
        overSplits(
          Array.from(scores, () => random.random()),
          rate,
          random,
        ),
      );
      for (const figure of ['mean', 'deviation', 'broken'] as const) {
        const values = simulated.map((one) => one[figure]).sort((a, b) => a - b);
        const what = `${figure} at ${rate}: ${found[figure]} where ${values[0]} to ${values[99]} are simulated`;
        const room = 0.25 * (values[99] - values[0]);
        if (figure === 'broken') expect(found.broken, what).to.be.at.most(values[99]);
        else expect(found[figure], what).to.be.within(values[0] - room, values[99] + room);
      }
    }
  }

  /** Mean and deviation of the realised rate, and how often it exceeds the stated bound with room for its own noise. */
  function overSplits(scores: readonly number[], rate: number, random: RandomState) {
    const half = scores.length / 2;
    const rates: number[] = [];
    let broken = 0;
    for (let split = 0; split < 200; split++) {
      const order = random.permutation(scores.length);
      const part = (from: number, to: number) =>
        Float64Array.from(order.subarray(from, to), (i) => scores[i]);
      const { threshold, upperBound } = calibrate(part(0, half), rate);
      const alarms = part(half, 2 * half).reduce((sum, score) => sum + (score > threshold ? 1 : 0), 0);
      rates.push(alarms / half);
      if (alarms / half > upperBound) broken++;
    }
    const mean = rates.reduce((a, b) => a + b, 0) / rates.length;
    const deviation = Math.sqrt(rates.reduce((sum, one) => sum + (one - mean) ** 2, 0) / rates.length);
    return { mean, deviation, broken: broken / rates.length };
  }
});
