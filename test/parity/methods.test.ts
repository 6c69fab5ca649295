import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { openFeatures } from '../../converters/hdf5/open-features.ts';
import { writeFeatures } from '../../converters/hdf5/write-features.ts';
import { defaultFitOptions, LayerFitter, type LayerSvm } from '../../src/detectors/layer-svm.ts';
import { fitMethods } from '../../src/detectors/methods/fit-methods.ts';
import { methods } from '../../src/detectors/methods/method-registry.ts';
import { methodsModel } from '../../src/detectors/methods/methods-model.ts';
import { Training } from '../../src/detectors/methods/training.ts';
import { auroc } from '../../src/evaluation/metrics.ts';
import { writeModel } from '../../src/graph/write.ts';
import { MethodScorer } from '../../src/pipeline/methods/score-methods.ts';
import { trainingFeatures } from '../../src/pipeline/methods/training-features.ts';
import { type MadeFeatures, Network } from '../detectors/methods/features.ts';
import { python } from './python.ts';

/** Of the spread of the scores. */
const TOLERANCE = 1e-4;
const AUROC_TOLERANCE = 1e-6;

const CLASSES = 10;
const WIDTH = 64;
const TAPS = [24, 100, 40];

/** Images that the one-class SVMs are fitted on. */
const SVM_IMAGES = 1500;

interface Expected {
  readonly reference: number[];
  readonly onnxruntime: number[];
}

describe('methods beside pytorch-ood and NumPy', () => {
  const network = new Network({ classes: CLASSES, width: WIDTH, taps: TAPS });
  const counts = { train: 6000, known: 3000, unknown: 3000 };
  let folder: string;
  let expected: Record<string, Expected>;
  const scores = new Map<string, Float32Array>();

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-parity-'));
    const file = (name: string) => join(folder, `${name}.hdf5`);
    const train = network.make(counts.train, 2);
    await write(file('train'), train);
    const svms = await fitSvms(train);
    await writeSvms(join(folder, 'svms.json'), svms);
    await write(file('known'), network.make(counts.known, 3));
    await write(file('unknown'), network.make(counts.unknown, 4, false));
    const { weight, bias } = network;
    await writeFeatures(file('head'), { widths: [WIDTH, 1], count: CLASSES }, (append) =>
      append([weight, bias]),
    );

    const features = await openFeatures(file('train'));
    const head = { input: 'head_input', classes: CLASSES, width: WIDTH, weight, bias };
    const { fitted, refused } = await fitMethods(
      methods,
      new Training(trainingFeatures(features, { head, svms })),
    );
    features.close();
    expect(refused).to.deep.equal([]);
    const model = methodsModel(fitted, {
      logits: ['logits', CLASSES],
      headInput: ['head_input', WIDTH],
      taps: new Map(TAPS.map((width, t) => [`tap_${t}`, width])),
    });
    await writeModel(join(folder, 'methods.onnx'), model);
    const scorer = await MethodScorer.open(model);
    const [known, unknown] = [await scorer.score(file('known')), await scorer.score(file('unknown'))];
    await scorer.close();
    for (const { name } of methods)
      scores.set(name, Float32Array.from([...known.get(name)!, ...unknown.get(name)!]));
    await python('methods.py', folder, ...methods.map(({ name }) => name));
    expected = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8'));
  });
  after(() => rm(folder, { recursive: true }));

  for (const { name, title } of methods)
    it(title, () => {
      const own = scores.get(name)!;
      const { reference, onnxruntime } = expected[name];
      expect(own.length).to.equal(reference.length);
      const tolerance = TOLERANCE * spread(reference);
      for (const [i, score] of own.entries()) {
        expect(score, `score ${i} beside the reference`).to.be.closeTo(reference[i], tolerance);
        expect(onnxruntime[i], `score ${i} in Python's onnxruntime`).to.be.closeTo(reference[i], tolerance);
      }
      const wanted = aurocOf(Float64Array.from(reference));
      expect(wanted, 'the case is neither trivial nor hopeless').to.be.within(0.02, 0.9999);
      expect(aurocOf(own)).to.be.closeTo(wanted, AUROC_TOLERANCE);
      expect(aurocOf(Float32Array.from(onnxruntime))).to.be.closeTo(wanted, AUROC_TOLERANCE);
    });

  function aurocOf(values: Float32Array | Float64Array): number {
    return auroc(values.subarray(0, counts.known), values.subarray(counts.known));
  }
});

async function fitSvms({ taps }: MadeFeatures): Promise<LayerSvm[]> {
  const fitter = await LayerFitter.open();
  const svms: LayerSvm[] = [];
  for (const [t, [tap, features]] of [...taps].entries()) {
    const some = features.subarray(0, SVM_IMAGES * TAPS[t]);
    svms.push(await fitter.fit(tap, some, TAPS[t], { ...defaultFitOptions, nu: 0.05 }));
  }
  return svms;
}

/** For scikit-learn's kernel: what was solved is given, which `detectors.test.ts` compares with its OneClassSVM. */
function writeSvms(path: string, svms: readonly LayerSvm[]): Promise<void> {
  const plain = svms.map(({ tap, scaler, gamma, supportVectors, alpha, rho }) => ({
    ...{ tap, gamma, rho, mean: [...scaler.mean], scale: [...scaler.scale] },
    ...{ supportVectors: [...supportVectors], alpha: [...alpha] },
  }));
  return writeFile(path, JSON.stringify(plain));
}

/** From the 5th to the 95th percent: some scores have tails that are as long as one likes. */
function spread(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(0.95 * sorted.length)] - sorted[Math.floor(0.05 * sorted.length)];
}

async function write(path: string, { count, logits, headInput, labels, taps }: MadeFeatures): Promise<void> {
  const layers = [...taps.values(), logits, headInput, Float32Array.from(labels)];
  const layout = {
    count,
    widths: layers.map(({ length }) => length / count),
    taps: [...taps.keys(), 'logits', 'head_input', 'labels'],
    attributes: {
      detector_taps: JSON.stringify([...taps.keys()]),
      ...{ logits: 'logits', head_input: 'head_input', labels: 'labels' },
    },
  };
  await writeFeatures(path, layout, (append) => append(layers));
}
