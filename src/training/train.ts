import { setImmediate } from 'node:timers/promises';
import { advice, option, TrainingError } from '../common/errors.ts';
import type { OnProgress } from '../common/progress.ts';
import { RandomState } from '../common/random.ts';
import type { ModelProto } from '../graph/onnx.ts';
import type { Augmentation, BatchMaker } from './batch-maker.ts';
import { crossEntropy } from './cross-entropy.ts';
import type { TrainingSession } from './engine.ts';
import type { LabeledImages } from './labeled-images.ts';
import type { CoTraining } from './objective.ts';
import { type Recipe, rateAt } from './recipe.ts';
import { runBatches } from './run-batches.ts';
import { seedOf, streams } from './seeds.ts';

/** What came of an epoch. */
export interface EpochReport {
  /** From 1. */
  readonly epoch: number;
  /** Learning rate at its end. */
  readonly rate: number;
  /** Mean over the epoch's steps, of augmented images: the objective, and the share classified right. */
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  /** Of the test images, after the epoch: the mean cross-entropy, and the share classified right. */
  readonly testLoss: number;
  readonly testAccuracy: number;
  readonly seconds: number;
}

/** Where a training is after some epochs. */
export interface TrainingState {
  readonly epochs: readonly EpochReport[];
  /** The network with its weights of this moment. */
  readonly model: ModelProto;
  /** The velocity of each weight, by its name. */
  readonly velocities: ReadonlyMap<string, Float32Array>;
}

export interface TrainOptions {
  readonly train: LabeledImages;
  readonly test: LabeledImages;
  readonly maker: BatchMaker;
  readonly recipe: Recipe;
  readonly seed: number;
  /** Those that were done before, where the session goes on. */
  readonly epochs?: readonly EpochReport[];
  /** What to say beside the progress until there is something to say of it. */
  readonly note?: string;
  /** Called after every epoch. */
  afterEpoch(state: TrainingState): Promise<void>;
  readonly onProgress?: OnProgress;
}

/**
 * Trains a network by stochastic gradient descent. Every epoch has its own order of the images; all that is drawn follows
 * from the seed, so that a training that goes on from a state ends in the same weights, bit for bit.
 *
 * @param coTraining what the session's objective has besides classification
 * @throws TrainingError where the loss is no number any more
 */
export async function train(
  session: TrainingSession,
  coTraining: CoTraining | undefined,
  options: TrainOptions,
): Promise<readonly EpochReport[]> {
  const { recipe, seed, maker, train: images, test, onProgress } = options;
  const epochs = [...(options.epochs ?? [])];
  // An epoch ends with the test images.
  const each = images.length + test.length;
  const tell = (done: number, note?: string) =>
    onProgress?.({
      ...{ task: 'train', done: epochs.length * each + done, total: recipe.epochs * each },
      ...{ unit: 'images', note },
    });
  tell(0, options.note);
  while (epochs.length < recipe.epochs) {
    const start = performance.now();
    const epoch = epochs.length;
    if (coTraining) session.standardize(await coTraining.scalers(epoch, (await session.state()).model));
    const order = new RandomState(seedOf(seed, streams.order, epoch)).permutation(images.length);
    const steps = Math.ceil(images.length / recipe.batch);
    let [step, seen, loss, correct, rate] = [0, 0, 0, 0, 0];
    const augmentation = augmentationOf(recipe, seed, streams.augmentation, epoch);
    for await (const batch of maker.batches(images, order, recipe.batch, augmentation)) {
      rate = rateAt(recipe, (epoch + step / steps) / recipe.epochs);
      const random = new RandomState(seedOf(seed, streams.step, epoch, step));
      const judged = await session.step(batch, rate, random);
      if (!Number.isFinite(judged.loss)) throw notFinite(epoch, step, recipe);
      loss += judged.loss * batch.labels.length;
      correct += judged.correct;
      seen += batch.labels.length;
      step++;
      const [mean, share] = [(loss / seen).toFixed(4), ((100 * correct) / seen).toFixed(2)];
      tell(seen, `epoch ${epoch + 1}/${recipe.epochs}, loss ${mean}, accuracy ${share} %`);
      // TensorFlow.js blocks this thread; between steps it listens to Ctrl-C.
      await setImmediate();
    }
    const state = await session.state();
    const tested = await testNetwork(state.model, maker, test, (done) =>
      tell(seen + done, `epoch ${epoch + 1}/${recipe.epochs}, testing`),
    );
    // What the last step did to the weights is seen here.
    if (!Number.isFinite(tested.loss)) throw notFinite(epoch, step - 1, recipe);
    epochs.push({
      ...{ epoch: epoch + 1, rate, trainLoss: loss / seen, trainAccuracy: correct / seen },
      ...{ testLoss: tested.loss, testAccuracy: tested.accuracy },
      seconds: (performance.now() - start) / 1000,
    });
    await options.afterEpoch({ epochs, ...state });
    tell(0, `epoch ${epoch + 1}, test accuracy ${(100 * tested.accuracy).toFixed(2)} %`);
  }
  return epochs;
}

/** A recipe's augmentation in one epoch. */
export function augmentationOf(
  { crop, flip }: Recipe,
  seed: number,
  stream: number,
  epoch: number,
): Augmentation {
  return { crop, flip, seed: (step) => seedOf(seed, stream, epoch, step) };
}

/** Images a run where nothing is learnt. */
const TEST_BATCH = 32;

/** The mean cross-entropy of images, and the share of them that is classified right. */
async function testNetwork(
  model: ModelProto,
  maker: BatchMaker,
  images: LabeledImages,
  onTested?: (images: number) => void,
): Promise<{ loss: number; accuracy: number }> {
  const [logits] = model.graph.output;
  const inOrder = Uint32Array.from(images.labels, (_, index) => index);
  let [loss, correct, tested] = [0, 0, 0];
  const batches = maker.batches(images, inOrder, TEST_BATCH);
  for await (const { batch, outputs } of runBatches(model, batches, [logits.name])) {
    const judged = crossEntropy(outputs[logits.name].data as Float32Array, batch.labels);
    loss += judged.loss * batch.labels.length;
    correct += judged.correct;
    tested += batch.labels.length;
    onTested?.(tested);
  }
  return { loss: loss / images.length, accuracy: correct / images.length };
}

function notFinite(epoch: number, step: number, { rate, clip }: Recipe): TrainingError {
  return new TrainingError(
    `epoch ${epoch + 1}, step ${step + 1}`,
    'the loss is not finite any more',
    advice`try ${option('lr', Number((rate / 10).toPrecision(3)))}${clip === undefined ? advice`, or ${option('clip', 1)}` : ''}`,
  );
}
