import { expect } from 'chai';
import { fitMethods } from '../../../src/detectors/methods/fit-methods.ts';
import { methods } from '../../../src/detectors/methods/method-registry.ts';
import { methodsModel } from '../../../src/detectors/methods/methods-model.ts';
import { Training, type TrainingFeatures } from '../../../src/detectors/methods/training.ts';
import { auroc } from '../../../src/evaluation/metrics.ts';
import { GraphSession } from '../../../src/runtime/graph-session.ts';
import { type MadeFeatures, Network, trainingOf } from './features.ts';

const CLASSES = 5;
const WIDTH = 24;
const options = { classes: CLASSES, width: WIDTH, taps: [8, 12] };

/** The SVMs come from `la-ood fit`, whose own bad input is in `layer-svm.test.ts`. */
const NO_SVMS = 'it needs the fitted one-class SVMs of the layers';
const NOT_FINITE =
  'training image 7: a feature is not a finite number; look for images or weights that are not finite';

describe('methods on features that are not as they should be', () => {
  const network = new Network(options);

  it('score as usual where all is well, and leave the features as they are', async () => {
    const train = network.make(600, 2);
    const before = Float32Array.from(train.headInput);
    const { refused, scores } = await fitAndScore(trainingOf(network, train));
    expect(refused).to.deep.equal({ 'layer-svms': NO_SVMS });
    expect(train.headInput).to.deep.equal(before);
    for (const [name, { known, unknown }] of scores) {
      const all = [...known, ...unknown];
      expect(all.every(Number.isFinite), name).to.equal(true);
      if (['knn', 'mahalanobis', 'vim', 'msp'].includes(name))
        expect(auroc(known, unknown), name).to.be.above(0.55);
    }
  });

  it('classes without images: they have no mean, and all methods score', async () => {
    const train = without(network.make(900, 2), (label) => label > 2);
    const { refused, scores, notes } = await fitAndScore(trainingOf(network, train));
    expect(Object.keys(refused)).to.deep.equal(['layer-svms']);
    expect(notes).to.not.have.property('mahalanobis');
    expectFinite(scores);
  });

  it('a constant feature: it is left out of covariances', async () => {
    const train = network.make(600, 2);
    for (let row = 0; row < train.count; row++) train.headInput[row * WIDTH + 3] = 0.1;
    const { refused, scores } = await fitAndScore(trainingOf(network, train));
    expect(Object.keys(refused)).to.deep.equal(['layer-svms']);
    expectFinite(scores);
  });

  it('all features constant: those that need their covariance are refused in a line', async () => {
    const train = network.make(600, 2);
    train.headInput.fill(0.5);
    const { refused, scores } = await fitAndScore(trainingOf(network, train));
    const reason = 'head input: is the same in all training images';
    expect(refused).to.deep.equal({
      ...{ mahalanobis: reason, 'mahalanobis++': reason, 'relative-mahalanobis': reason },
      ...{ 'layer-svms': NO_SVMS },
    });
    expectFinite(scores);
  });

  it('all logits constant, all layers constant: no method is refused', async () => {
    for (const constant of ['logits', 'taps'] as const) {
      const train = network.make(600, 2);
      for (const values of constant === 'logits' ? [train.logits] : train.taps.values()) values.fill(0.5);
      const { refused, scores } = await fitAndScore(trainingOf(network, train));
      expect(refused, constant).to.deep.equal({ 'layer-svms': NO_SVMS });
      expectFinite(scores);
    }
  });

  it('NaN: whatever reads it is refused, and the image is named', async () => {
    const train = network.make(600, 2);
    train.headInput[7 * WIDTH + 2] = Number.NaN;
    const { refused, scores } = await fitAndScore(trainingOf(network, train));
    const { 'layer-svms': _, ...others } = refused;
    const readers = methods.filter(
      ({ name, needs }) => needs.includes('head input') && name !== 'gradnorm', // which is fitted on nothing
    );
    expect(Object.keys(others)).to.deep.equal(readers.map(({ name }) => name));
    expect([...new Set(Object.values(others))]).to.deep.equal([NOT_FINITE]);
    expectFinite(scores);
  });

  it('NaN in logits or in a layer: the same', async () => {
    const train = network.make(600, 2);
    train.logits[7 * CLASSES + 1] = Number.NaN;
    const ofLogits = await fitAndScore(trainingOf(network, train));
    expect(ofLogits.refused).to.deep.equal({
      ...{ 'temperature-scaling': NOT_FINITE, 'kl-matching': NOT_FINITE, she: NOT_FINITE, vim: NOT_FINITE },
      ...{ 'layer-svms': NO_SVMS },
    });
    expectFinite(ofLogits.scores);
    const other = network.make(600, 2);
    other.taps.get('tap_1')![7] = Number.NaN;
    const ofLayers = await fitAndScore(trainingOf(network, other));
    const reason = 'layers tap_0 to tap_1: a feature is not a finite number';
    expect(ofLayers.refused).to.deep.equal({
      ...{ 'layer-svms': NO_SVMS, 'layer-gaussians': reason, 'layer-knn': reason },
    });
    expectFinite(ofLayers.scores);
  });

  it('images of one class: nothing is relative to it', async () => {
    const train = without(network.make(3000, 2), (label) => label !== 1);
    const { refused, scores } = await fitAndScore(trainingOf(network, train));
    expect(Object.keys(refused)).to.deep.equal(['relative-mahalanobis', 'layer-svms']);
    expect(refused['relative-mahalanobis']).to.match(/all training images are of one class/);
    expectFinite(scores);
  });

  it('fewer images than features: the covariance is shrunk, and a note says so', async () => {
    const train = network.make(20, 2);
    const { refused, scores, notes } = await fitAndScore(trainingOf(network, train));
    expect(refused).to.deep.equal({ 'layer-svms': NO_SVMS });
    for (const name of ['mahalanobis', 'mahalanobis++', 'relative-mahalanobis'])
      expect(notes[name][0]).to.match(/^20 images for 24 features: .* shrunk by 0\.\d+ \(Ledoit and Wolf\)$/);
    expectFinite(scores);
    const { known, unknown } = scores.get('mahalanobis++')!;
    expect(auroc(known, unknown)).to.be.above(0.6);
  });

  it('fewer images than classes, layers and neighbours take: all methods score', async () => {
    const { refused, scores } = await fitAndScore(trainingOf(network, network.make(4, 2)));
    expect(refused).to.deep.equal({ 'layer-svms': NO_SVMS });
    expectFinite(scores);
  });

  it('an image a class: it has no covariance about the mean of its class', async () => {
    const train = network.make(40, 2);
    const first = [0, 1, 2, 3, 4].map((label) => train.labels.indexOf(label));
    const { refused, scores } = await fitAndScore(trainingOf(network, rowsOf(train, first)));
    const reason = 'head input: is the same in all training images of a class';
    expect(refused).to.deep.equal({
      ...{ mahalanobis: reason, 'mahalanobis++': reason, 'relative-mahalanobis': reason },
      ...{ 'layer-svms': NO_SVMS },
    });
    expectFinite(scores);
  });

  it('head inputs that are negative: what takes them for activations is refused', async () => {
    const train = network.make(600, 2);
    for (let i = 0; i < train.headInput.length; i++) train.headInput[i] -= 0.5;
    const { refused } = await fitAndScore(trainingOf(network, train));
    expect(Object.keys(refused)).to.deep.equal(['scale', 'ash-b', 'ash-s', 'layer-svms']);
    expect(refused.scale).to.match(/activations that are not negative/);
  });

  it('no last linear layer, classes that do not exclude each other: refused by name, the others score', async () => {
    const train = trainingOf(network, network.make(600, 2));
    const bare = await fitAndScore({ ...train, width: undefined, head: undefined });
    expect([...bare.scores.keys()]).to.deep.equal([
      'msp',
      'max-logit',
      'energy',
      'gen',
      'temperature-scaling',
      'entropy',
      'kl-matching',
      'layer-gaussians',
      'layer-knn',
    ]);
    const several = await fitAndScore({ ...train, isMultiLabel: true });
    expect(several.refused.msp).to.match(/classes do not exclude each other/);
    expect([...several.scores.keys()]).to.include.members([
      'max-logit',
      'knn',
      'residual',
      'layer-gaussians',
    ]);
  });

  async function fitAndScore(features: TrainingFeatures) {
    const { fitted, refused } = await fitMethods(methods, new Training(features));
    const model = methodsModel(fitted, {
      logits: ['logits', CLASSES],
      headInput: ['head_input', WIDTH],
      taps: new Map(options.taps.map((width, t) => [`tap_${t}`, width])),
    });
    const session = await GraphSession.open(model, { device: 'cpu', threads: 1 });
    const run = async (made: MadeFeatures) => {
      const values = new Map([['logits', made.logits], ['head_input', made.headInput], ...made.taps]);
      const feeds = model.graph.input.map(({ name }) => {
        const data = values.get(name)!;
        return [name, { dtype: 'float32', shape: [made.count, data.length / made.count], data }] as const;
      });
      return session.run(Object.fromEntries(feeds));
    };
    const [known, unknown] = [await run(network.make(200, 3)), await run(network.make(200, 4, false))];
    await session.close();
    const scores = new Map(
      fitted.map(({ method: { name } }) => [
        name,
        { known: known[name].data as Float32Array, unknown: unknown[name].data as Float32Array },
      ]),
    );
    return {
      scores,
      refused: Object.fromEntries(refused.map(({ method, reason }) => [method.name, reason])),
      notes: Object.fromEntries(
        fitted.flatMap(({ method, notes = [] }) => (notes.length > 0 ? [[method.name, notes]] : [])),
      ),
    };
  }
});

type Scores = ReadonlyMap<string, { known: Float32Array; unknown: Float32Array }>;

function expectFinite(scores: Scores): void {
  for (const [name, { known, unknown }] of scores)
    expect([...known, ...unknown].every(Number.isFinite), name).to.equal(true);
}

/** The images but those of some classes. */
function without(made: MadeFeatures, isLeftOut: (label: number) => boolean): MadeFeatures {
  const rows = [...made.labels.keys()].filter((row) => !isLeftOut(made.labels[row]));
  return rowsOf(made, rows);
}

function rowsOf(made: MadeFeatures, rows: readonly number[]): MadeFeatures {
  const chosen = (values: Float32Array) => {
    const width = values.length / made.count;
    return Float32Array.from({ length: rows.length * width }, (_, at) => {
      return values[rows[Math.floor(at / width)] * width + (at % width)];
    });
  };
  return {
    count: rows.length,
    logits: chosen(made.logits),
    headInput: chosen(made.headInput),
    labels: Uint32Array.from(rows, (row) => made.labels[row]),
    taps: new Map([...made.taps].map(([tap, values]) => [tap, chosen(values)])),
  };
}
