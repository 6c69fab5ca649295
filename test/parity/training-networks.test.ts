import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readCheckpoint } from '../../converters/pytorch/read-checkpoint.ts';
import { buildBackbone } from '../../models/backbone.ts';
import { recognizeArchitecture } from '../../models/registry.ts';
import { RandomState } from '../../src/common/random.ts';
import { type StateDict, toFloat32 } from '../../src/common/tensor.ts';
import type { LayerSvm } from '../../src/detectors/layer-svm.ts';
import type { ModelProto } from '../../src/graph/onnx.ts';
import { readModel } from '../../src/graph/read.ts';
import { tensorFromProto } from '../../src/graph/tensor-proto.ts';
import type { SgdOptions, TrainingSession } from '../../src/training/engine.ts';
import { examineTrainingEngines, openTrainingEngine } from '../../src/training/engines.ts';
import type { Objective } from '../../src/training/objective.ts';
import { python } from './python.ts';

/** How often each is trained, and how often its gradients are compared, on other images; large ones take minutes in float64. */
const networks = {
  vgg16: { losses: 1, gradients: 3 },
  resnet20: { losses: 3, gradients: 7 },
  resnet34: { losses: 1, gradients: 3 },
  densenet100: { losses: 1, gradients: 3 },
  'densenet22-k24-r1': { losses: 3, gradients: 7 },
  mobilenet: { losses: 3, gradients: 7 },
};
const cotrained = 'resnet20';
const HALF = 16;
const STEPS = 20;
/** Images of a step whose gradients are compared; the more, the likelier is an activation of about 0 (see below). */
const FEW = 4;
const COTRAINED_DRAWS = 7;
const DRAWS = 3;
/** Neither momentum nor decay: what the optimiser holds after a step is the gradient. */
const plainSteps: SgdOptions = { momentum: 0, weightDecay: 0 };
/** TensorFlow.js's engine where it is there; it is slow with images of a batch for each of many layers. */
const engines = examineTrainingEngines().flatMap(({ engine, works }) => (works ? [engine] : []));

/** PyTorch's losses in float64 and float32, step by step. */
interface Losses {
  readonly '64': readonly number[];
  readonly '32': readonly number[];
}

/**
 * An activation of about 0 is 0 on one side only now and then, PyTorch's float32 included, which moves a gradient by 1e-4
 * and from there all losses that follow. That says nothing of either side, and the median of several draws is free of it.
 */
describe('training beside PyTorch', () => {
  const random = new RandomState(5);
  const labels = Uint8Array.from({ length: DRAWS * 2 * HALF }, () => random.integer(9));
  const images = Float32Array.from({ length: labels.length * 3 * 32 * 32 }, () => random.normal());
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'la-ood-training-'));
    await writeFile(join(folder, 'labels.bin'), labels);
    await writeFile(join(folder, 'images.bin'), images);
    await python('training.py', 'make', folder, ...Object.keys(networks));
  });
  after(() => rm(folder, { recursive: true }));

  for (const [name, draws] of Object.entries(networks)) {
    it(`${name}: gradients and statistics as near to float64 as PyTorch's float32`, async () => {
      const distances = byEngine();
      await python('training.py', 'gradients', folder, name, String(draws.gradients), String(FEW));
      for (let draw = 0; draw < draws.gradients; draw++) {
        for (const [engine, found] of distances) {
          const session = await open(engine, name, plainSteps);
          await step(session, 0, draw * FEW, (draw + 1) * FEW);
          found.add(await compareFirstStep(session, `${name}.${draw}`));
          await compareStatistics(session, `${name}.${draw}`);
          await session.close();
        }
      }
      for (const [engine, found] of distances) found.check(`${engine}: gradients`);
    });

    it(`${name}: the losses of ${STEPS} steps, too`, async () => {
      const distances = byEngine();
      const all = await python<Losses[]>(
        'training.py',
        ...['train', folder, name, ...[STEPS, draws.losses, HALF].map(String)],
      );
      for (const [draw, losses] of all.entries()) {
        const start = draw * 2 * HALF;
        for (const [engine, found] of distances) {
          const session = await open(engine, name, { momentum: 0.9, weightDecay: 5e-4 });
          const ours: number[] = [];
          for (let i = 0; i < STEPS; i++) {
            const from = i % 2 === 0 ? start : start + HALF;
            ours.push(await step(session, 1e-3, from, from + HALF));
          }
          await session.close();
          expect(ours[0]).closeTo(losses['64'][0], 1e-5);
          const off = (values: readonly number[]) =>
            Math.max(...values.map((value, i) => Math.abs(value - losses['64'][i])));
          found.add({ ours: off(ours), theirs: off(losses['32']) });
        }
      }
      for (const [engine, found] of distances) found.check(`${engine}: losses`);
    });
  }

  it('one co-training step', async () => {
    const detectors = ['conv1', 'layer2.0.conv1', 'layer3.2.conv2'].map((tap, l) => layerOf(tap, 16 << l));
    const distances = byEngine();
    const task = { lambda: 0.5, layers: detectors.map((layer) => plain(layer)) };
    await writeFile(join(folder, 'cotrain.json'), JSON.stringify(task));
    const losses = await python<number[]>(
      'training.py',
      ...['cotrain', folder, cotrained, ...[COTRAINED_DRAWS, FEW].map(String)],
    );
    const coTraining = { detectors, lambda: task.lambda, scalers: async () => [] };
    for (const [draw, loss64] of losses.entries()) {
      const images = [draw * FEW, (draw + 1) * FEW] as const;
      for (const [engine, found] of distances) {
        const session = await open(engine, cotrained, plainSteps, { coTraining });
        session.standardize(detectors.map(({ scaler }) => scaler));
        const loss = await step(session, 0, ...images);
        expect(loss).closeTo(loss64, 1e-5);
        found.add(await compareFirstStep(session, `cotrain.${draw}`));
        await session.close();
        // The detectors' part is large enough to be seen in the loss.
        const alone = await open(engine, cotrained, plainSteps);
        expect(Math.abs((await step(alone, 0, ...images)) - loss64)).above(0.01);
        await alone.close();
      }
    }
    for (const [engine, found] of distances) found.check(`${engine}: gradients`);
  });

  async function open(
    engine: (typeof engines)[number],
    name: string,
    optimizer: SgdOptions,
    objective: Objective = {},
  ): Promise<TrainingSession> {
    const model = await modelOf(name);
    return openTrainingEngine(engine).open({ model, where: name, optimizer, objective });
  }

  async function modelOf(name: string): Promise<ModelProto> {
    if (name === 'mobilenet') return readModel(join(folder, `${name}.onnx`));
    const { stateDict } = await readCheckpoint(join(folder, `${name}.pth`));
    const { architecture } = recognizeArchitecture(stateDict);
    const model = buildBackbone(architecture, stateDict);
    // Nothing is dropped, as on the other side.
    const node = model.graph.node.map((each) =>
      each.opType === 'Dropout'
        ? { ...each, opType: 'Identity', input: each.input.slice(0, 1), attribute: [] }
        : each,
    );
    return { ...model, graph: { ...model.graph, node } };
  }

  /** Forth and back with some of the images, and a move; gives the loss. */
  async function step(session: TrainingSession, rate: number, start: number, end: number): Promise<number> {
    const size = 3 * 32 * 32;
    const batch = {
      images: images.slice(start * size, end * size),
      shape: [end - start, 3, 32, 32] as [number, 3, number, number],
      labels: Int32Array.from(labels.subarray(start, end)),
    };
    return (await session.step(batch, rate, new RandomState(0))).loss;
  }

  /** Our distance to float64 in all gradients together, beside that of PyTorch in float32. */
  async function compareFirstStep(session: TrainingSession, name: string): Promise<Distance> {
    const { velocities: gradients } = await session.state();
    const exact = (await readCheckpoint(join(folder, `${name}.64.pth`))).stateDict;
    const single = (await readCheckpoint(join(folder, `${name}.32.pth`))).stateDict;
    const keys = [...exact.keys()].filter((key) => key.startsWith('gradient/'));
    expect(keys.map((key) => key.slice('gradient/'.length))).members([...gradients.keys()]);
    return {
      ours: distance(exact, keys, (key) => gradients.get(key.slice('gradient/'.length))!),
      theirs: distance(exact, keys, (key) => single.get(key)!.data as Float64Array),
    };
  }

  async function compareStatistics(session: TrainingSession, name: string): Promise<void> {
    const exact = (await readCheckpoint(join(folder, `${name}.64.pth`))).stateDict;
    const { model } = await session.state();
    const statistics = [...exact.keys()].filter((key) => key.includes('running'));
    for (const key of statistics) {
      const proto = model.graph.initializer.find((tensor) => tensor.name === key)!;
      const wanted = exact.get(key)!.data as Float64Array;
      const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      toFloat32(tensorFromProto(proto, name)).forEach((value, i) => {
        expect(Math.abs(value - wanted[i]), key).to.be.below(1e-5 * largest);
      });
    }
  }

  /** A detector with a few support vectors near what standardised features are. */
  function layerOf(tap: string, width: number): LayerSvm {
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

  function plain({ tap, gamma, alpha, supportVectors, scaler }: LayerSvm) {
    const [mean, scale] = [Array.from(scaler.mean), Array.from(scaler.scale)];
    return { tap, gamma, alpha: Array.from(alpha), supportVectors: Array.from(supportVectors), mean, scale };
  }
});

/** How far we are from float64, and how far PyTorch's float32 is. */
interface Distance {
  readonly ours: number;
  readonly theirs: number;
}

function byEngine(): Map<(typeof engines)[number], Distances> {
  return new Map(engines.map((engine) => [engine, new Distances()]));
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
