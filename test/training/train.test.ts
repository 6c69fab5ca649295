import { expect } from 'chai';
import { openImageSet } from '../../data/open.ts';
import { TrainingError } from '../../src/common/errors.ts';
import { decodeModel } from '../../src/graph/read.ts';
import { encodeModel } from '../../src/graph/write.ts';
import { openTrainingBackend, type TrainingBackend } from '../../src/training/backend.ts';
import { BatchMaker } from '../../src/training/batch-maker.ts';
import { checkpointModel, stateOfCheckpoint } from '../../src/training/checkpoint.ts';
import { LabelledImages } from '../../src/training/labelled-images.ts';
import { classification } from '../../src/training/objective.ts';
import { fineTuning, type Recipe, schedules } from '../../src/training/recipe.ts';
import { type EpochReport, type TrainOptions, train } from '../../src/training/train.ts';
import { TrainableGraph } from '../../src/training/trainable-graph.ts';
import { SIDE, smallBackbone } from './networks.ts';

const recipe: Recipe = { ...fineTuning, epochs: 3, batch: 32, rate: 0.05, crop: 1 };

describe('training', () => {
  const maker = new BatchMaker({ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] });
  let backend: TrainingBackend;
  let options: TrainOptions;

  before(async () => {
    backend = openTrainingBackend();
    const open = async (spec: string) =>
      LabelledImages.open(await openImageSet(spec), { height: SIDE, width: SIDE }, 10);
    const [images, test] = [await open('demo:train:100'), await open('demo:test:50')];
    options = { train: images, test, maker, recipe, seed: 3, afterEpoch: async () => {} };
  });
  after(() => maker.close());

  it('learns, says how far it is, and keeps no memory', async () => {
    const graph = new TrainableGraph(smallBackbone(), backend);
    const before = backend.tf.memory().numTensors;
    const told: string[] = [];
    const epochs = await train(graph, classification(graph), {
      ...options,
      recipe: { ...recipe, epochs: 20, rate: 0.1, crop: 0, flip: false },
      onProgress: ({ done, total, note }) => told.push(`${done} ${total} ${note}`),
    });
    expect(epochs.map(({ epoch }) => epoch)).deep.equals(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(epochs[19].trainLoss).below(0.8 * epochs[0].trainLoss);
    expect(epochs[19].trainAccuracy).above(epochs[0].trainAccuracy);
    expect(told[1]).matches(/^32 3000 epoch 1\/20, loss \d\.\d{4}, accuracy \d+\.\d\d %$/);
    expect(told.at(-1)).matches(/^3000 3000 epoch 20, test accuracy/);
    expect(backend.tf.memory().numTensors).equals(before);
    graph.dispose();
  });

  it('ends in the same weights, bit by bit, whether it was cut off or not', async () => {
    const whole = new TrainableGraph(smallBackbone(0, true), backend);
    let checkpoint: Uint8Array | undefined;
    const all = await train(whole, classification(whole), {
      ...options,
      async afterEpoch(state) {
        if (state.epochs.length === 1) checkpoint = encodeModel(checkpointModel(whole.model(), state));
      },
    });
    const { model, state } = stateOfCheckpoint(decodeModel(checkpoint!, 'checkpoint'), 'checkpoint');
    expect(state.epochs).length(1);
    const resumed = new TrainableGraph(model, backend);
    const rest = await train(resumed, classification(resumed), { ...options, from: state });
    const facts = (epochs: readonly EpochReport[]) => epochs.map(({ seconds: _, ...others }) => others);
    expect(facts(rest)).deep.equals(facts(all));
    expect(Buffer.compare(encodeModel(resumed.model()), encodeModel(whole.model()))).equals(0);
    // Another seed is another training.
    const other = new TrainableGraph(smallBackbone(0, true), backend);
    await train(other, classification(other), { ...options, seed: 4 });
    expect(Buffer.compare(encodeModel(other.model()), encodeModel(whole.model()))).not.equals(0);
    for (const graph of [whole, resumed, other]) graph.dispose();
  });

  it('stops where the loss is not finite, and says which rate to try', async () => {
    const diverging = { ...recipe, rate: 1e20, schedule: schedules.constant };
    // With all images in one step, only the test images show what became of the weights.
    for (const [batch, where] of [
      [32, /^epoch 1, step [234]: /],
      [100, /^epoch 1, step 1: /],
    ] as const) {
      const graph = new TrainableGraph(smallBackbone(), backend);
      const diverges = train(graph, classification(graph), { ...options, recipe: { ...diverging, batch } });
      const error = await diverges.catch((e) => e);
      expect(error).instanceOf(TrainingError);
      expect(error.message).matches(where);
      expect(error.message).matches(
        /: the loss is not finite any more; try --lr 10000000000000000000, or --clip 1$/,
      );
      graph.dispose();
    }
  });

  it('shrinks long gradients where it is told to', async () => {
    const graph = new TrainableGraph(smallBackbone(), backend);
    const still = { ...recipe, epochs: 1, rate: 0.1, momentum: 0, weightDecay: 0, clip: 1e-7 };
    const before = graph.weights.get('fc.weight')!.read();
    await train(graph, classification(graph), { ...options, recipe: still });
    const after = graph.weights.get('fc.weight')!.read();
    expect(Math.max(...after.map((value, i) => Math.abs(value - before[i])))).within(1e-12, 1e-6);
    graph.dispose();
  });
});
