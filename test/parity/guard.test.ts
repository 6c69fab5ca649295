import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { openImageSet } from '../../data/open.ts';
import { packageRoot } from '../../src/common/package-root.ts';
import { RandomState } from '../../src/common/random.ts';
import {
  calibrate,
  extractFeatures,
  fitDetectors,
  type GuardMethod,
  type GuardReport,
  guardRun,
  importCheckpoint,
  RunFolder,
  readModel,
  type ScoredImage,
  scoreImages,
} from '../../src/index.ts';
import { GraphSession } from '../../src/runtime/graph-session.ts';
import { temporaryFolder } from '../data/images.ts';
import { reference, unpackedReference } from '../reference.ts';
import { python } from './python.ts';

interface Theirs {
  readonly domains: readonly string[];
  readonly names: readonly string[];
  readonly outputs: Readonly<Record<string, readonly number[]>>;
  readonly stricter: readonly number[];
  readonly single: readonly number[];
}

/** Of the largest value: two builds of onnxruntime, and batches of other sizes. */
const TOLERANCE = 1e-4;

describe("A guarded model in Python's onnxruntime", () => {
  const folder = temporaryFolder();

  for (const method of ['evidence', 'la-ood'] as GuardMethod[])
    it(`gives what la-ood score gives, with the built-in backbone (${method})`, async function () {
      this.timeout(300_000);
      const path = folder.at(`demo-${method}`);
      await mkdir(path);
      await RunFolder.use(path, async (run) => {
        await copyFile(new URL('data/demo/backbone.onnx', packageRoot), run.file('backbone.onnx'));
        await extractFeatures(run, {
          train: { name: 'demo', source: 'demo:train' },
          test: { name: 'demo', source: 'demo:test' },
        });
        if (method === 'la-ood') await fitDetectors(run, { ind: 'demo' });
        const report = await guardRun(run, { method });
        await compare(run.file('guarded.onnx'), report, 'demo:noise');
      });
    });

  it('gives what la-ood score gives, with a published ResNet-56', async function () {
    this.timeout(600_000);
    const checkpoint = reference(this, 'checkpoints', 'resnet56-4bfd9763.th');
    const cifar = unpackedReference(this, 'data', 'cifar10-jpeg.tar.xz');
    const tiny = unpackedReference(this, 'data', 'tinyjpeg.tar.xz');
    const path = folder.at('resnet56');
    await mkdir(path);
    await RunFolder.use(path, async (run) => {
      await importCheckpoint(checkpoint, run.file('backbone.onnx'), {});
      await extractFeatures(run, {
        train: { name: 'cifar10', source: `${cifar}/train` },
        test: { name: 'cifar10', source: `${cifar}/test` },
      });
      const report = await guardRun(run);
      await compare(run.file('guarded.onnx'), report, tiny);

      const scores: number[] = [];
      for await (const { score } of scoreImages(run.file('guarded.onnx'), [`${cifar}/test`], { batch: 100 }))
        scores.push(score);
      expect(scores).to.have.length(10_000);
      // Which half scaled the scores does not matter among images that are all of one kind but a little: the half that
      // did not is what theory speaks of.
      const unscaled = Array.from(new RandomState(0).permutation(10_000).subarray(5000), (i) => scores[i]);
      expectBetaBinomial(unscaled);
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

  /** Python's outputs on the first images of a set, beside ours. */
  async function compare(file: string, report: GuardReport, set: string): Promise<void> {
    const size = { height: 32, width: 32 };
    const count = 64;
    const pixels = await (await openImageSet(set)).read(0, count, size);
    await writeFile(folder.at('pixels.bin'), pixels);
    const ours: ScoredImage[] = [];
    for await (const row of scoreImages(file, [set])) if (ours.push(row) === count) break;
    const stricter = Math.max(...ours.map(({ score }) => score)) + 1;
    const { domains, names, outputs, ...theirs } = await python<Theirs>(
      ...['guard.py', file, folder.at('pixels.bin'), `${count}`, '32', '32', `${stricter}`],
    );
    expect(domains).to.deep.equal(['']);
    expect(names.slice(1)).to.deep.equal([
      ...['label', 'ood_score', 'p_value', 'is_ood', 'ood_layer', 'layer_scores'],
    ]);
    const session = await GraphSession.open(await readModel(file), { device: 'cpu' });
    const own = await session.run({ pixels: { dtype: 'uint8', shape: [count, 32, 32, 3], data: pixels } });
    await session.close();
    const { threshold } = report.calibration;
    const largest = (values: readonly number[]) => Math.max(1, ...values.map(Math.abs));
    for (const name of [names[0], 'ood_score', 'layer_scores']) {
      const ownValues = Array.from(own[name].data as Float32Array);
      const difference = Math.max(...ownValues.map((value, i) => Math.abs(value - outputs[name][i])));
      expect(difference, name).to.be.at.most(TOLERANCE * largest(ownValues));
    }
    const scale = TOLERANCE * largest(ours.map(({ score }) => score));
    ours.forEach(({ score, label, isOod }, i) => {
      expect(Math.abs(score - outputs.ood_score[i])).to.be.at.most(scale);
      expect(label).to.equal(outputs.label[i]);
      if (Math.abs(score - threshold) > scale) expect(isOod).to.equal(outputs.is_ood[i] === 1);
      if (i < 5) expect(Math.abs(theirs.single[i] - outputs.ood_score[i])).to.be.at.most(scale);
    });
    expect(outputs.is_ood).to.include(1);
    expect(theirs.stricter).not.to.include(1);
  }
});
