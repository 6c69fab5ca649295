import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { LaOodError } from '../../src/common/errors.ts';
import { RandomState } from '../../src/common/random.ts';
import { toFloat32 } from '../../src/common/tensor.ts';
import { describeClassifier, LOGITS } from '../../src/graph/classifier/classifier.ts';
import type { ModelProto } from '../../src/graph/onnx.ts';
import { readModel } from '../../src/graph/read.ts';
import { adoptClassifier } from '../../src/pipeline/classifier/adopt-classifier.ts';
import { importClassifier } from '../../src/pipeline/classifier/import-classifier.ts';
import { normalizeClassifier } from '../../src/pipeline/classifier/normalize-classifier.ts';
import { fitDetectors } from '../../src/pipeline/detectors/fit-detectors.ts';
import { extractFeatures } from '../../src/pipeline/features/extract-features.ts';
import { featureGraph } from '../../src/pipeline/features/feature-graph.ts';
import { guardRun } from '../../src/pipeline/guard/guard-run.ts';
import { RunFolder } from '../../src/pipeline/run-folder.ts';
import { runOnPixels } from '../../src/pipeline/run-graph.ts';
import { describeTrainable } from '../../src/pipeline/training/train-backbone.ts';
import { openTrainingEngine } from '../../src/training/engines.ts';
import { imageFolder } from '../cli/files.ts';
import { expectSameInPython } from './guarded.ts';
import { python, pythonWithInput } from './python.ts';

/** What PyTorch says of a classifier; nothing where it has not the same weights. */
interface Made {
  readonly size: number;
  readonly convolutions?: readonly (readonly number[])[];
  readonly logits?: readonly number[];
}

const count = 3;
const cifar = { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] };
const halves = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };

const names = [
  ...['vit', 'vit-fixed', 'mobilenet-script', 'mobilenet-dynamo', 'convnext', 'resnet-half', 'resnet-fixed'],
  ...['resnet-opset9', 'plain-opset7', 'keras'],
];
const published = ['resnet20', 'resnet32', 'resnet44', 'resnet56'];
/** What keeps a classifier from being trained; PyTorch's own logits are at hand for all others. */
const untrainable: Readonly<Record<string, RegExp>> = {
  vit: /training does not know the operator \w+; it knows Add,/,
  'vit-fixed': /the batch size 1 is built into what leads to its output logits/,
  convnext: /training does not know the operator LayerNormalization; it knows Add,/,
  'resnet-half': /its input is NCHW of float16; networks of float32 N×C×H×W are trained$/,
  keras: /its input is NHWC of float32; networks of float32 N×C×H×W are trained$/,
};
const reference = process.env.LA_OOD_REFERENCE;

describe('classifiers of other exporters beside onnxruntime and PyTorch', () => {
  let folder: string;
  let made: Record<string, Made>;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-classifiers-'));
    const checkpoints = reference ? [join(reference, 'checkpoints')] : [];
    made = await python('classifiers.py', 'make', folder, ...checkpoints);
    await imageFolder(join(folder, 'images'), 'demo:train', 150);
    await imageFolder(join(folder, 'held-out'), 'demo:test', 60);
    await imageFolder(join(folder, 'noise'), 'demo:noise', 20);
  });
  after(() => rm(folder, { recursive: true }));

  for (const name of [...names, ...published]) {
    const preprocessing = name === 'keras' ? halves : cifar;
    const source = () => join(folder, `${name}.onnx`);

    it(`${name}: every tap and the logits are what they are in Python`, async function () {
      if (!reference && published.includes(name)) this.skip();
      const { size, logits: expected, convolutions } = made[name];
      const path = join(folder, name, 'all.onnx');
      const { taps } = await importClassifier(source(), path, { taps: ['all'], preprocessing });
      const ours = await pooledTaps(await readModel(path), path, size);
      const original = await readModel(source());
      const { logits } = describeClassifier(original, name);
      const asked = taps.map((tap) => (tap === LOGITS ? logits : tap));
      const values = await pythonWithInput<Record<string, number[]>>(
        'classifiers.py',
        JSON.stringify(asked),
        ...['values', folder, name],
      );
      expect(taps).to.have.length.above(6);
      // Half floats have 11 bits. What Python reads out of the graph is rounded to them, ours is pooled in float32 first.
      const tolerance = name === 'resnet-half' ? 2 ** -11 : 1e-4;
      for (const [t, tap] of taps.entries())
        expect(difference(ours[tap], values[asked[t]]), tap).to.be.below(tolerance);

      if (!expected) return;
      expect(difference(ours[LOGITS], expected), 'logits beside PyTorch').to.be.below(1e-4);
      const { candidates } = await normalizeClassifier(original, name);
      const ofOperator = candidates.filter(({ kind }) => kind === 'convolution');
      expect(ofOperator).to.have.length(convolutions!.length);
      for (const [c, { name: tap }] of ofOperator.entries())
        expect(difference(ours[tap], convolutions![c]), `${tap} beside PyTorch`).to.be.below(1e-4);
    });

    const reason = untrainable[name];
    it(`${name}: ${reason ? 'is not trained, and says why' : "is trained from PyTorch's logits"}`, async function () {
      if (!reference && published.includes(name)) this.skip();
      const path = join(folder, name, 'all.onnx');
      const open = async () => {
        const model = await readModel(path);
        const { size } = describeTrainable(model, path);
        const task = { model, where: path, objective: {}, optimizer: { momentum: 0, weightDecay: 0 } };
        return { session: await openTrainingEngine().open(task), side: size.height };
      };
      if (reason) {
        const error = await open().catch((thrown) => thrown);
        expect(error).to.be.instanceOf(LaOodError);
        expect(error.message).to.match(reason);
        return;
      }
      const { session, side } = await open();
      const bytes = 3 * side * side;
      const images = await floats(join(folder, `${name}.npy`), count * bytes);
      const step = async (first: number, labels: readonly number[], rate: number) => {
        const shape: [number, 3, number, number] = [labels.length, 3, side, side];
        const part = images.slice(first * bytes, (first + labels.length) * bytes);
        const batch = { images: part, shape, labels: Int32Array.from(labels) };
        return (await session.step(batch, rate, new RandomState(0))).loss;
      };
      const classes = made[name].logits!.length / count;
      const expected = logShares(made[name].logits!, classes);
      // The loss of one image at rate 0 is the logarithm of one class's share: all classes give all logits but for a shift.
      const shares: number[] = [];
      for (let i = 0; i < expected.length; i++)
        shares.push(-(await step(Math.floor(i / classes), [i % classes], 0)));
      expect(difference(shares, expected)).to.be.below(1e-4);

      // Normalisation is folded into the convolutions, so that only short steps are sure to go down.
      const losses: number[] = [];
      for (let i = 0; i < 4; i++) losses.push(await step(0, [0, 1, 2], 1e-5));
      await session.close();
      expect(losses[0]).to.be.closeTo(
        -(expected[0] + expected[classes + 1] + expected[2 * classes + 2]) / count,
        1e-4,
      );
      expect(losses.at(-1)).to.be.below(losses[0]);
    });

    it(`${name}: goes through fit as it is`, async function () {
      if (!reference && published.includes(name)) this.skip();
      await RunFolder.use(join(folder, name, 'run'), async (run) => {
        await adoptClassifier(run, source(), { preprocessing });
        const train = { name: 'shapes', source: join(folder, 'images') };
        const [{ images }] = await extractFeatures(run, { train, batch: 25, device: 'cpu' });
        expect(images).to.equal(150);
        const { detectors } = await fitDetectors(run, { nu: 0.05 });
        const { detectorTaps } = featureGraph(await readModel(run.file('backbone.onnx')), name);
        expect(detectors.map(({ tap }) => tap)).to.deep.equal(detectorTaps);
        expect(detectors).to.have.length.within(6, 30);
      });
    });

    it(`${name}: goes through guard and score as it is, the same in Python`, async function () {
      if (!reference && published.includes(name)) this.skip();
      await RunFolder.use(join(folder, name, 'run'), async (run) => {
        const test = { name: 'shapes', source: join(folder, 'held-out') };
        await extractFeatures(run, { test, batch: 25, device: 'cpu' });
        for (const method of [{}, { aggregation: 'max' }] as const) {
          const report = await guardRun(run, { ...method, rate: 0.1 });
          expect(report.calibration.count).to.equal(60);
          const tolerance = name === 'resnet-half' ? 2 ** -11 : undefined;
          await expectSameInPython(run, report, join(folder, 'noise'), tolerance);
        }
      });
    });
  }

  /** The taps of the images that Python has too. */
  async function pooledTaps(backbone: ModelProto, path: string, side: number) {
    const { model, taps, batch = count } = featureGraph(backbone, path);
    const file = await readFile(join(folder, `pixels-${side}.npy`));
    const pixels = Uint8Array.from(file.subarray(file.length - count * side * side * 3));
    const bytes = pixels.length / (count / batch);
    const runsOf = Array.from({ length: count / batch }, (_, i) => pixels.slice(i * bytes, (i + 1) * bytes));
    const runs = await runOnPixels(model, path, { height: side, width: side }, runsOf);
    return Object.fromEntries(taps.map((tap) => [tap, runs.flatMap((run) => [...toFloat32(run[tap])])]));
  }
});

/** The last `size` float32 numbers of a file. */
async function floats(path: string, size: number): Promise<Float32Array> {
  const bytes = await readFile(path);
  return new Float32Array(Uint8Array.from(bytes.subarray(bytes.length - 4 * size)).buffer);
}

/** The logarithm of each class's share, image by image. */
function logShares(logits: readonly number[], classes: number): number[] {
  return logits.map((value, i) => {
    const first = i - (i % classes);
    const image = logits.slice(first, first + classes);
    return value - Math.log(image.reduce((sum, each) => sum + Math.exp(each), 0));
  });
}

/** The largest difference, as a share of the largest value. */
function difference(ours: readonly number[], theirs: readonly number[]): number {
  expect(ours).to.have.length(theirs.length);
  const largest = Math.max(...theirs.map(Math.abs));
  return Math.max(...ours.map((value, i) => Math.abs(value - theirs[i]))) / largest;
}
