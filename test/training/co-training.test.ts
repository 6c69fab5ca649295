import { expect } from 'chai';
import { RandomState } from '../../src/common/random.ts';
import type { LayerDetector } from '../../src/detectors/fit-layer.ts';
import { fitStandardScaler } from '../../src/detectors/standard-scaler.ts';
import { openTrainingBackend, type TrainingBackend } from '../../src/training/backend.ts';
import type { TrainingBatch } from '../../src/training/batch-maker.ts';
import { coTraining } from '../../src/training/co-training.ts';
import { classification, type Judgement, type Objective } from '../../src/training/objective.ts';
import { pooledScalers } from '../../src/training/pooled-scalers.ts';
import { TrainableGraph } from '../../src/training/trainable-graph.ts';
import { SIDE, smallBackbone } from './networks.ts';

const BATCH = 4;
const LAMBDA = 0.5;
const WIDTH = 4;

describe('co-training', () => {
  const random = new RandomState(17);
  let backend: TrainingBackend;
  let graph: TrainableGraph;

  beforeEach(() => {
    backend = openTrainingBackend();
    graph = new TrainableGraph(smallBackbone(), backend, { exposed: ['conv1'] });
  });
  afterEach(() => graph.dispose());

  it('takes all layers up to 13, and draws ten of more in every step', async () => {
    expect(await chosenOf(13)).deep.equals([range(13), range(13), range(13)]);
    const drawn = await chosenOf(40);
    for (const layers of drawn) expect(layers).length(10);
    expect(drawn[0]).not.deep.equals(drawn[1]);
    expect(new Set(drawn.flat()).size).above(15);
  });

  it('draws from the first layers only where the original does', async () => {
    const drawn = await chosenOf(40, 12);
    for (const layers of drawn) {
      expect(layers).length(10);
      expect(Math.max(...layers)).below(12);
    }
  });

  it('standardises by statistics of all batches, and leaves the network as it is', async () => {
    const made = [5, 5, 3].map((count) => batch(count));
    const statistics = [...graph.statistics.values()];
    const before = statistics.map((statistic) => statistic.read());
    async function* batches() {
      yield* made;
    }
    const [scaler] = await pooledScalers(graph, ['conv1'], batches());
    const rows = made.flatMap(({ images, shape }) => {
      const x = backend.tf.tensor4d(images.slice(), shape);
      const pass = graph.forward(x);
      return [...backend.tf.mean(pass.value('conv1'), [1, 2]).dataSync()];
    });
    const expected = fitStandardScaler(Float32Array.from(rows), WIDTH);
    for (let c = 0; c < WIDTH; c++) {
      expect(scaler.mean[c]).closeTo(expected.mean[c], 1e-6);
      expect(scaler.scale[c] / expected.scale[c]).closeTo(1, 1e-6);
    }
    expect(statistics.map((statistic) => statistic.read())).deep.equals(before);
  });

  /**
   * The layers that three steps look at, of so many. Layer l has one support vector, whose kernel is 1 everywhere and whose
   * multiplier is 2^l: the loss tells which are in it.
   */
  async function chosenOf(count: number, drawFrom?: number): Promise<number[][]> {
    const unit = { mean: new Float64Array(WIDTH), scale: new Float64Array(WIDTH).fill(1) };
    const detectors = range(count).map(
      (l): LayerDetector => ({
        ...{ tap: 'conv1', width: WIDTH, scaler: unit, nu: 0.1, gamma: 1e-12, rho: 0 },
        supportVectors: new Float32Array(WIDTH),
        alpha: Float32Array.of(2 ** l),
      }),
    );
    const scalers = async () => detectors.map(() => unit);
    const objective = coTraining(graph, detectors, { lambda: LAMBDA, drawFrom, scalers });
    await objective.beginEpoch!(0);
    const images = batch(BATCH);
    return [1, 2, 3].map((seed) => {
      const both = judge(objective, images, seed).loss;
      const alone = judge(classification(graph), images, seed).loss;
      const taken = drawFrom === undefined && count <= 13 ? count : 10;
      const sum = Math.round(((alone - both) * 2 * taken) / LAMBDA / BATCH);
      return range(count).filter((l) => Math.floor(sum / 2 ** l) % 2 === 1);
    });
  }

  function judge(objective: Objective, { images, shape, labels }: TrainingBatch, seed: number): Judgement {
    const pass = graph.forward(backend.tf.tensor4d(images.slice(), shape), { gradients: true });
    return objective.judge(pass, labels, new RandomState(seed));
  }

  function batch(count: number): TrainingBatch {
    const images = Float32Array.from({ length: count * SIDE * SIDE * 3 }, () => random.normal());
    const labels = Int32Array.from({ length: count }, () => random.integer(9));
    return { images, shape: [count, SIDE, SIDE, 3], labels };
  }
});

function range(count: number): number[] {
  return [...Array(count).keys()];
}
