import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { writeCheckpoint } from '../../converters/pytorch/write-checkpoint.ts';
import { buildBackbone } from '../../models/backbone.ts';
import { initialWeights } from '../../models/initial.ts';
import { architectureNamed } from '../../models/registry.ts';
import { RandomState } from '../../src/common/random.ts';
import { openTrainingBackend, type TrainingBackend } from '../../src/training/backend.ts';
import type { TrainingBatch } from '../../src/training/batch-maker.ts';
import { classification } from '../../src/training/objective.ts';
import { recipeOf } from '../../src/training/recipe.ts';
import { Sgd } from '../../src/training/sgd.ts';
import { takeStep } from '../../src/training/train.ts';
import { TrainableGraph } from '../../src/training/trainable-graph.ts';
import { python } from '../parity/python.ts';
import { type Bench, count, inTemporaryFolder, median, spread, timed } from './bench.ts';

const CLASSES = 10;
const RATE = 0.01;
/** The network that memory is watched with, and its batch: small, so that many steps take little time. */
const WATCHED = { name: 'resnet20', batch: 32 };

/** Whole steps (forth, back, SGD) on batches in memory, beside PyTorch eager; and what many steps do to memory. */
export const training: Bench = {
  about: 'training steps: images a second on tfjs-node beside PyTorch eager, and memory over many steps',
  python: true,
  options: {
    models: { about: 'backbones, separated by commas', default: 'vgg16,resnet34,densenet100' },
    batch: { about: "images a step; the recipe's by default" },
    steps: { about: 'steps a round', default: '5' },
    rounds: { about: 'rounds: ours, theirs, ours, theirs, …', default: '3' },
    memory: { about: 'steps over which memory is watched', default: '500' },
  },
  async run(values) {
    const backend = openTrainingBackend('tfjs-node');
    const [steps, rounds] = [count(values, 'steps'), count(values, 'rounds')];
    const given = (values.batch ?? 'undefined') === 'undefined' ? undefined : count(values, 'batch');
    // First, as memory that a larger network has left free would hide what a smaller one takes more and more of.
    watchMemory(backend, count(values, 'memory'));
    for (const name of values.models!.split(',')) await compare(backend, name, given, steps, rounds);
  },
};

async function compare(
  backend: TrainingBackend,
  name: string,
  given: number | undefined,
  steps: number,
  rounds: number,
): Promise<void> {
  const batch = given ?? recipeOf(name).batch;
  const threads = availableParallelism();
  const { weights, stepper, dispose } = prepare(backend, name, batch);
  await inTemporaryFolder(async (folder) => {
    const checkpoint = join(folder, 'weights.pth');
    await writeCheckpoint(checkpoint, weights);
    const task = { ...{ name, checkpoint, batch, steps, threads }, classes: CLASSES, rate: RATE };
    const [ours, theirs]: number[][] = [[], []];
    stepper();
    for (let round = 0; round < rounds; round++) {
      const { seconds } = await timed(async () => {
        for (let step = 0; step < steps; step++) stepper();
      });
      ours.push((steps * batch) / seconds);
      const other = await python<{ seconds: number }>('../bench/training.py', JSON.stringify(task));
      theirs.push((steps * batch) / other.seconds);
    }
    console.log(`
${name}: batch ${batch}, ${steps} steps a round, ${threads} threads on both sides
  ours     ${spread(ours, 1)} images/s
  PyTorch  ${spread(theirs, 1)} images/s
  ratio    ${(median(ours) / median(theirs)).toFixed(2)}`);
  });
  dispose();
}

/** Tensors and resident memory after a tenth of the steps, and after all. */
function watchMemory(backend: TrainingBackend, steps: number): void {
  const { stepper, dispose } = prepare(backend, WATCHED.name, WATCHED.batch);
  const now = () => ({
    tensors: backend.tf.memory().numTensors,
    mebibytes: process.memoryUsage().rss / 2 ** 20,
  });
  const first = Math.ceil(steps / 10);
  for (let step = 0; step < first; step++) stepper();
  const early = now();
  for (let step = first; step < steps; step++) stepper();
  const late = now();
  dispose();
  console.log(`
memory, ${WATCHED.name}, batch ${WATCHED.batch}
  after ${first} steps  ${early.tensors} tensors, ${early.mebibytes.toFixed(0)} MiB resident
  after ${steps} steps  ${late.tensors} tensors, ${late.mebibytes.toFixed(0)} MiB resident`);
}

/** A network before training, and a function that trains it one step further. */
function prepare(backend: TrainingBackend, name: string, batch: number) {
  const architecture = architectureNamed(name);
  const random = new RandomState(0);
  const weights = initialWeights(architecture, CLASSES, random);
  const graph = new TrainableGraph(buildBackbone(architecture, weights), backend);
  const sgd = new Sgd(backend.tf, graph.weights.values(), recipeOf(name));
  const objective = classification(graph);
  const made: TrainingBatch = {
    images: Float32Array.from({ length: batch * 32 * 32 * 3 }, () => random.normal()),
    shape: [batch, 32, 32, 3],
    labels: Int32Array.from({ length: batch }, () => random.integer(CLASSES - 1)),
  };
  return {
    weights,
    stepper() {
      // TensorFlow computes when it is asked; the loss is read in every step.
      takeStep(graph, objective, sgd, { ...made, images: made.images.slice() }, random, RATE);
    },
    dispose() {
      sgd.dispose();
      graph.dispose();
    },
  };
}
