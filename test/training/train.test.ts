import { expect } from 'chai';
import { openImageSet } from '../../data/open.ts';
import { RunError, TrainingError } from '../../src/common/errors.ts';
import { decodeModel } from '../../src/graph/read.ts';
import { encodeModel } from '../../src/graph/write.ts';
import { BatchMaker } from '../../src/training/batch-maker.ts';
import { checkpointModel, stateOfCheckpoint } from '../../src/training/checkpoint.ts';
import type { TrainingSession } from '../../src/training/engine.ts';
import { LabeledImages } from '../../src/training/labeled-images.ts';
import { onnxEngine } from '../../src/training/onnx/onnx-engine.ts';
import { fineTuning, type Recipe, schedules } from '../../src/training/recipe.ts';
import { type EpochReport, type TrainingState, type TrainOptions, train } from '../../src/training/train.ts';
import { SIDE, smallBackbone } from './networks.ts';

const recipe: Recipe = { ...fineTuning, epochs: 2, batch: 32, rate: 0.05, crop: 1 };

describe('training', () => {
  const maker = new BatchMaker({ mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] });
  let options: TrainOptions;

  before(async () => {
    const open = async (spec: string) =>
      LabeledImages.open(await openImageSet(spec), { height: SIDE, width: SIDE }, 10);
    const [images, test] = [await open('demo:train:100'), await open('demo:test:50')];
    options = { train: images, test, maker, recipe, seed: 3, afterEpoch: async () => {} };
  });
  after(() => maker.close());
  const sessions: TrainingSession[] = [];
  const open = async (model = smallBackbone(), used = recipe, velocities?: TrainingState['velocities']) => {
    const task = { model, where: 'small', objective: {}, optimizer: used, velocities };
    sessions.push(await onnxEngine.open(task));
    return sessions.at(-1)!;
  };
  afterEach(() => Promise.all(sessions.splice(0).map((session) => session.close())));

  it('learns, and says how far it is', async () => {
    const told: string[] = [];
    const epochs = await train(await open(), undefined, {
      ...options,
      recipe: { ...recipe, epochs: 8, rate: 0.1, crop: 0, flip: false },
      onProgress: ({ done, total, note }) => told.push(`${done} ${total} ${note}`),
    });
    expect(epochs.map(({ epoch }) => epoch)).deep.equals(Array.from({ length: 8 }, (_, i) => i + 1));
    expect(epochs[7].trainLoss).below(0.9 * epochs[0].trainLoss);
    expect(epochs[7].trainAccuracy).above(epochs[0].trainAccuracy);
    expect(told[1]).matches(/^32 1200 epoch 1\/8, loss \d\.\d{4}, accuracy \d+\.\d\d %$/);
    expect(told.at(-1)).matches(/^1200 1200 epoch 8, test accuracy/);
  });

  it('ends in the same weights, bit by bit, whether it was cut off or not', async () => {
    const bytesOf = async (session: TrainingSession) => encodeModel((await session.state()).model);
    const whole = await open(smallBackbone(0, true));
    let checkpoint: Uint8Array | undefined;
    const all = await train(whole, undefined, {
      ...options,
      async afterEpoch(state) {
        if (state.epochs.length === 1) checkpoint = encodeModel(checkpointModel(state, 'onnx'));
      },
    });
    const state = stateOfCheckpoint(decodeModel(checkpoint!, 'checkpoint'), 'onnx', 'checkpoint');
    expect(state.epochs).length(1);
    const resumed = await open(state.model, recipe, state.velocities);
    const rest = await train(resumed, undefined, { ...options, epochs: state.epochs });
    const facts = (epochs: readonly EpochReport[]) => epochs.map(({ seconds: _, ...others }) => others);
    expect(facts(rest)).deep.equals(facts(all));
    expect(Buffer.compare(await bytesOf(resumed), await bytesOf(whole))).equals(0);
    // Another seed is another training.
    const other = await open(smallBackbone(0, true));
    await train(other, undefined, { ...options, seed: 4 });
    expect(Buffer.compare(await bytesOf(other), await bytesOf(whole))).not.equals(0);
    // Another engine would end in weights that are neither's.
    expect(() => stateOfCheckpoint(decodeModel(checkpoint!, 'x'), 'tfjs-node', 'run/x.onnx')).throws(
      RunError,
      /^run\/x\.onnx: this training was begun on onnx, and does not go on on tfjs-node; give `engine: onnx`, or remove/,
    );
  });

  it('stops where the loss is not finite, and says which rate to try', async () => {
    const diverging = { ...recipe, rate: 1e20, schedule: schedules.constant };
    // With all images in one step, only the test images show what became of the weights.
    for (const [batch, where] of [
      [32, /^epoch 1, step [234]: /],
      [100, /^epoch 1, step 1: /],
    ] as const) {
      const diverges = train(await open(), undefined, { ...options, recipe: { ...diverging, batch } });
      const error = await diverges.catch((e) => e);
      expect(error).instanceOf(TrainingError);
      expect(error.message).matches(where);
      expect(error.message).matches(
        /: the loss is not finite any more; try `lr: 10000000000000000000`, or `clip: 1`$/,
      );
    }
  });
});
