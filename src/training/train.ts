import { setImmediate } from 'node:timers/promises';
import { TrainingError } from '../common/errors.ts';
import type { OnProgress } from '../common/progress.ts';
import { RandomState } from '../common/random.ts';
import type { Augmentation, BatchMaker, TrainingBatch } from './batch-maker.ts';
import { crossEntropy } from './cross-entropy.ts';
import type { LabelledImages } from './labelled-images.ts';
import type { Objective } from './objective.ts';
import { type Recipe, rateAt } from './recipe.ts';
import { seedOf, streams } from './seeds.ts';
import { Sgd } from './sgd.ts';
import type { TrainableGraph } from './trainable-graph.ts';

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

/** The velocity of each weight by its name, after some epochs. */
export interface TrainingState {
  readonly epochs: readonly EpochReport[];
  readonly velocities: ReadonlyMap<string, Float32Array>;
}

export interface TrainOptions {
  readonly train: LabelledImages;
  readonly test: LabelledImages;
  readonly maker: BatchMaker;
  readonly recipe: Recipe;
  readonly seed: number;
  /** What to go on from; the graph's weights are those of that moment. */
  readonly from?: TrainingState;
  /** What to say beside the progress until there is something to say of it. */
  readonly note?: string;
  /** Called after every epoch. */
  afterEpoch(state: TrainingState): Promise<void>;
  readonly onProgress?: OnProgress;
}

/**
 * Trains a graph by stochastic gradient descent. Every epoch has its own order of the images; all that is drawn follows
 * from the seed, so that a training that goes on from a state ends in the same weights, bit for bit.
 *
 * @throws TrainingError where the loss is no number any more
 */
export async function train(
  graph: TrainableGraph,
  objective: Objective,
  options: TrainOptions,
): Promise<readonly EpochReport[]> {
  const { recipe, seed, from, maker, train: images, test, onProgress } = options;
  const sgd = new Sgd(graph.tf, graph.weights.values(), recipe);
  if (from) sgd.restore(from.velocities);
  const epochs = [...(from?.epochs ?? [])];
  // An epoch ends with the test images.
  const each = images.length + test.length;
  const tell = (done: number, note?: string) =>
    onProgress?.({
      ...{ task: 'train', done: epochs.length * each + done, total: recipe.epochs * each },
      ...{ unit: 'images', note },
    });
  tell(0, options.note);
  try {
    while (epochs.length < recipe.epochs) {
      const start = performance.now();
      const epoch = epochs.length;
      await objective.beginEpoch?.(epoch);
      const order = new RandomState(seedOf(seed, streams.order, epoch)).permutation(images.length);
      const steps = Math.ceil(images.length / recipe.batch);
      let [step, seen, loss, correct, rate] = [0, 0, 0, 0, 0];
      const augmentation = augmentationOf(recipe, seed, streams.augmentation, epoch);
      for await (const batch of maker.batches(images, order, recipe.batch, augmentation)) {
        rate = rateAt(recipe, (epoch + step / steps) / recipe.epochs);
        const random = new RandomState(seedOf(seed, streams.step, epoch, step));
        const judged = takeStep(graph, objective, sgd, batch, random, rate);
        if (!Number.isFinite(judged.loss)) throw notFinite(epoch, step, recipe);
        loss += judged.loss * batch.labels.length;
        correct += judged.correct;
        seen += batch.labels.length;
        step++;
        const [mean, share] = [(loss / seen).toFixed(4), ((100 * correct) / seen).toFixed(2)];
        tell(seen, `epoch ${epoch + 1}/${recipe.epochs}, loss ${mean}, accuracy ${share} %`);
        // Steps block this thread; between them it listens to Ctrl-C.
        await setImmediate();
      }
      const tested = await testGraph(graph, maker, test, (done) =>
        tell(seen + done, `epoch ${epoch + 1}/${recipe.epochs}, testing`),
      );
      // What the last step did to the weights is seen here.
      if (!Number.isFinite(tested.loss)) throw notFinite(epoch, step - 1, recipe);
      epochs.push({
        ...{ epoch: epoch + 1, rate, trainLoss: loss / seen, trainAccuracy: correct / seen },
        ...{ testLoss: tested.loss, testAccuracy: tested.accuracy },
        seconds: (performance.now() - start) / 1000,
      });
      await options.afterEpoch({ epochs, velocities: sgd.state() });
      tell(0, `epoch ${epoch + 1}, test accuracy ${(100 * tested.accuracy).toFixed(2)} %`);
    }
  } finally {
    sgd.dispose();
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
const TEST_BATCH = 100;

/** The mean cross-entropy of images, and the share of them that is classified right. */
export async function testGraph(
  graph: TrainableGraph,
  maker: BatchMaker,
  images: LabelledImages,
  onTested?: (images: number) => void,
): Promise<{ loss: number; accuracy: number }> {
  const { tf, exposed } = graph;
  const inOrder = Uint32Array.from(images.labels, (_, index) => index);
  let [loss, correct, tested] = [0, 0, 0];
  for await (const { images: values, shape, labels } of maker.batches(images, inOrder, TEST_BATCH)) {
    const x = tf.tensor4d(values, shape);
    const pass = graph.forward(x);
    const judged = crossEntropy(pass.value(exposed[0]).dataSync<'float32'>(), labels);
    pass.dispose();
    x.dispose();
    loss += judged.loss * labels.length;
    correct += judged.correct;
    tested += labels.length;
    onTested?.(tested);
    await setImmediate();
  }
  return { loss: loss / images.length, accuracy: correct / images.length };
}

/** Forth, back, and a move of the weights; none where the loss is not finite. */
export function takeStep(
  graph: TrainableGraph,
  objective: Objective,
  sgd: Sgd,
  { images, shape, labels }: TrainingBatch,
  random: RandomState,
  rate: number,
): { loss: number; correct: number } {
  const x = graph.tf.tensor4d(images, shape);
  const pass = graph.forward(x, { batchStatistics: true, gradients: true, random });
  const { loss, correct, gradients } = objective.judge(pass, labels, random);
  const { weights } = pass.backward(gradients);
  pass.dispose();
  x.dispose();
  if (Number.isFinite(loss)) sgd.step(weights, rate);
  else for (const gradient of weights.values()) gradient.dispose();
  return { loss, correct };
}

function notFinite(epoch: number, step: number, { rate, clip }: Recipe): TrainingError {
  return new TrainingError(
    `epoch ${epoch + 1}, step ${step + 1}`,
    'the loss is not finite any more',
    `try --lr ${Number((rate / 10).toPrecision(3))}${clip === undefined ? ', or --clip 1' : ''}`,
  );
}
