import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readCheckpoint } from '../../converters/pytorch/read-checkpoint.ts';
import { buildBackbone } from '../../models/backbone.ts';
import { recogniseArchitecture } from '../../models/registry.ts';
import { RandomState } from '../../src/common/random.ts';
import type { StateDict } from '../../src/common/tensor.ts';
import type { LayerDetector } from '../../src/detectors/fit-layer.ts';
import { openTrainingBackend, type TensorFlow, type TrainingBackend } from '../../src/training/backend.ts';
import { coTraining } from '../../src/training/co-training.ts';
import { classification, type Judgement, type Objective } from '../../src/training/objective.ts';
import { Sgd } from '../../src/training/sgd.ts';
import { TrainableGraph } from '../../src/training/trainable-graph.ts';
import { python } from './python.ts';

/** How often each is trained, on other images; VGG16 takes minutes in float64. */
const networks = { vgg16: 1, resnet20: 3, 'densenet22-k24-r1': 3 };
const cotrained = 'resnet20';
const HALF = 16;
const STEPS = 20;
/** Images of a step whose gradients are compared; the more, the likelier is an activation of about 0 (see below). */
const FEW = 4;
const GRADIENT_DRAWS = 7;
const DRAWS = Math.max(...Object.values(networks));

/** PyTorch's losses in float64 and float32. */
interface Losses<T> {
  readonly '64': T;
  readonly '32': T;
}

/**
 * An activation of about 0 is 0 on one side only now and then, PyTorch's float32 included, which moves a gradient by 1e-4
 * and from there all losses that follow. That says nothing of either side, and the median of several draws is free of it.
 */
describe('training beside PyTorch', () => {
  let backend: TrainingBackend;
  let tf: TensorFlow;
  const random = new RandomState(5);
  const labels = Uint8Array.from({ length: DRAWS * 2 * HALF }, () => random.integer(9));
  const images = Float32Array.from({ length: labels.length * 3 * 32 * 32 }, () => random.normal());
  let folder: string;

  before(async () => {
    backend = openTrainingBackend('tfjs-node');
    ({ tf } = backend);
    folder = await mkdtemp(join(tmpdir(), 'la-ood-training-'));
    await writeFile(join(folder, 'labels.bin'), labels);
    await writeFile(join(folder, 'images.bin'), images);
    await python('training.py', 'make', folder, ...Object.keys(networks));
  });
  after(() => rm(folder, { recursive: true }));

  for (const [name, draws] of Object.entries(networks)) {
    it(`${name}: gradients and statistics as near to float64 as PyTorch's float32`, async () => {
      const distances = new Distances();
      for (let draw = 0; draw < GRADIENT_DRAWS; draw++) {
        const [start, end] = [draw * FEW, (draw + 1) * FEW];
        await python('training.py', 'gradients', folder, name, String(start), String(end));
        const graph = await graphOf(name);
        const { gradients } = step(graph, classification(graph), start, end);
        distances.add(await compareFirstStep(gradients, name));
        await compareStatistics(graph, name);
        graph.dispose();
      }
      distances.check('gradients');
    });

    it(`${name}: the losses of ${STEPS} steps, too`, async () => {
      const distances = new Distances();
      for (let draw = 0; draw < draws; draw++) {
        const [start, end] = [draw * 2 * HALF, (draw + 1) * 2 * HALF];
        const losses = await python<Losses<number[]>>(
          'training.py',
          ...['train', folder, name, String(STEPS), String(start), String(end)],
        );
        const graph = await graphOf(name);
        const sgd = new Sgd(tf, graph.weights.values(), { momentum: 0.9, weightDecay: 5e-4 });
        const ours: number[] = [];
        for (let i = 0; i < STEPS; i++) {
          const from = i % 2 === 0 ? start : start + HALF;
          const { loss, weights } = step(graph, classification(graph), from, from + HALF);
          sgd.step(weights, 1e-3);
          ours.push(loss);
        }
        expect(ours[0]).closeTo(losses['64'][0], 1e-5);
        const off = (values: readonly number[]) =>
          Math.max(...values.map((value, i) => Math.abs(value - losses['64'][i])));
        distances.add({ ours: off(ours), theirs: off(losses['32']) });
        sgd.dispose();
        graph.dispose();
      }
      distances.check('losses');
    });
  }

  it('one co-training step', async () => {
    const layers = ['conv1', 'layer2.0.conv1', 'layer3.2.conv2'].map((tap, l) => layerOf(tap, 16 << l));
    const exposed = layers.map(({ tap }) => tap);
    const distances = new Distances();
    for (let draw = 0; draw < GRADIENT_DRAWS; draw++) {
      const images = [draw * FEW, (draw + 1) * FEW] as const;
      const task = { lambda: 0.5, images, layers: layers.map((layer) => plain(layer)) };
      await writeFile(join(folder, 'cotrain.json'), JSON.stringify(task));
      const losses = await python<Losses<number>>('training.py', 'cotrain', folder, cotrained);
      const graph = await graphOf(cotrained, exposed);
      const objective = coTraining(graph, layers, {
        lambda: task.lambda,
        scalers: async () => layers.map(({ scaler }) => scaler),
      });
      await objective.beginEpoch!(0);
      const { loss, gradients } = step(graph, objective, ...images);
      expect(loss).closeTo(losses['64'], 1e-5);
      // The detectors' part is large enough to be seen in the loss.
      const { loss: alone } = step(graph, classification(graph), ...images);
      expect(Math.abs(alone - losses['64'])).above(0.01);
      distances.add(await compareFirstStep(gradients, 'cotrain'));
      graph.dispose();
    }
    distances.check('gradients');
  });

  async function graphOf(name: string, exposed?: readonly string[]): Promise<TrainableGraph> {
    const { stateDict } = await readCheckpoint(join(folder, `${name}.pth`));
    const { architecture } = recogniseArchitecture(stateDict);
    return new TrainableGraph(buildBackbone(architecture, stateDict), backend, { exposed });
  }

  /** Forth and back with some of the images. */
  function step(graph: TrainableGraph, objective: Objective, start: number, end: number) {
    const size = 3 * 32 * 32;
    const x = tf.tidy(() => {
      const planes = tf.tensor4d(images.slice(start * size, end * size), [end - start, 3, 32, 32]);
      return tf.transpose(planes, [0, 2, 3, 1]);
    });
    const pass = graph.forward(x, { batchStatistics: true, gradients: true });
    const judged: Judgement = objective.judge(pass, labels.subarray(start, end), new RandomState(0));
    const { weights } = pass.backward(judged.gradients);
    pass.dispose();
    x.dispose();
    const gradients = new Map(
      Array.from(weights, ([weight, gradient]) => [weight.name, weight.read(gradient)]),
    );
    return { loss: judged.loss, weights, gradients };
  }

  /** Our distance to float64 in all gradients together, beside that of PyTorch in float32. */
  async function compareFirstStep(
    gradients: ReadonlyMap<string, Float32Array>,
    name: string,
  ): Promise<Distance> {
    const exact = (await readCheckpoint(join(folder, `${name}.64.pth`))).stateDict;
    const single = (await readCheckpoint(join(folder, `${name}.32.pth`))).stateDict;
    const keys = [...exact.keys()].filter((key) => key.startsWith('gradient/'));
    expect(keys.map((key) => key.slice('gradient/'.length))).members([...gradients.keys()]);
    return {
      ours: distance(exact, keys, (key) => gradients.get(key.slice('gradient/'.length))!),
      theirs: distance(exact, keys, (key) => single.get(key)!.data as Float64Array),
    };
  }

  async function compareStatistics(graph: TrainableGraph, name: string): Promise<void> {
    const exact = (await readCheckpoint(join(folder, `${name}.64.pth`))).stateDict;
    for (const statistic of graph.statistics.values()) {
      const wanted = exact.get(statistic.name)!.data as Float64Array;
      const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      statistic.read().forEach((value, i) => {
        expect(Math.abs(value - wanted[i]), statistic.name).to.be.below(1e-5 * largest);
      });
    }
  }

  /** A detector with a few support vectors near what standardised features are. */
  function layerOf(tap: string, width: number): LayerDetector {
    const [count, normals] = [30, (n: number) => Float32Array.from({ length: n }, () => random.normal())];
    return {
      ...{ tap, width, nu: 0.1, gamma: 0.5 / width, rho: 0.5, supportVectors: normals(count * width) },
      alpha: normals(count).map(Math.abs),
      scaler: {
        mean: Float64Array.from(normals(width), (value) => 0.3 * value),
        scale: Float64Array.from(normals(width), (value) => 0.5 + Math.abs(value)),
      },
      fit: undefined as never,
    };
  }

  function plain({ tap, gamma, alpha, supportVectors, scaler }: LayerDetector) {
    const [mean, scale] = [Array.from(scaler.mean), Array.from(scaler.scale)];
    return { tap, gamma, alpha: Array.from(alpha), supportVectors: Array.from(supportVectors), mean, scale };
  }
});

/** How far we are from float64, and how far PyTorch's float32 is. */
interface Distance {
  readonly ours: number;
  readonly theirs: number;
}

/** Distances of several draws. */
class Distances {
  readonly #all: Distance[] = [];

  add(distance: Distance): void {
    this.#all.push(distance);
  }

  /** The median of ours is at most three times theirs. */
  check(what: string): void {
    const list = (side: keyof Distance) => this.#all.map((each) => each[side]).sort((a, b) => a - b);
    const [ours, theirs] = [list('ours'), list('theirs')];
    const text = (values: readonly number[]) => values.map((value) => value.toExponential(1)).join(' ');
    console.log(`        ${what} off float64: ours ${text(ours)}, PyTorch's ${text(theirs)}`);
    const middle = this.#all.length >> 1;
    expect(ours[middle]).below(3 * theirs[middle]);
  }
}

/** |ours − exact| / |exact|, over all tensors together. */
function distance(
  exact: StateDict,
  keys: readonly string[],
  valuesOf: (key: string) => ArrayLike<number>,
): number {
  let [difference, norm] = [0, 0];
  for (const key of keys) {
    const wanted = exact.get(key)!.data as Float64Array;
    const values = valuesOf(key);
    expect(values.length, key).equals(wanted.length);
    for (let i = 0; i < wanted.length; i++) {
      difference += (values[i] - wanted[i]) ** 2;
      norm += wanted[i] ** 2;
    }
  }
  return Math.sqrt(difference / norm);
}
