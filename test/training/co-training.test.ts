import { expect } from 'chai';
import { RandomState } from '../../src/common/random.ts';
import type { LayerSvm } from '../../src/detectors/layer-svm.ts';
import { fitStandardScaler, type StandardScaler } from '../../src/detectors/standard-scaler.ts';
import { exposeTaps } from '../../src/graph/rewrite.ts';
import { GraphSession } from '../../src/runtime/graph-session.ts';
import type { TrainingBatch } from '../../src/training/batch-maker.ts';
import type { TrainingSession } from '../../src/training/engine.ts';
import { type CoTraining, layerFactors } from '../../src/training/objective.ts';
import { onnxEngine } from '../../src/training/onnx/onnx-engine.ts';
import { pooledScalers } from '../../src/training/pooled-scalers.ts';
import { SIDE, smallBackbone } from './networks.ts';

const LAMBDA = 0.5;
const WIDTH = 4;
const unit = { mean: new Float64Array(WIDTH), scale: new Float64Array(WIDTH).fill(1) };

describe('co-training', () => {
  const random = new RandomState(17);
  const model = smallBackbone();
  const sessions: TrainingSession[] = [];
  afterEach(() => Promise.all(sessions.splice(0).map((session) => session.close())));

  it('takes all layers up to 13, and draws ten of more in every step', () => {
    expect(chosenOf(13)).deep.equals([range(13), range(13), range(13)]);
    const drawn = chosenOf(40);
    for (const layers of drawn) expect(layers).length(10);
    expect(drawn[0]).not.deep.equals(drawn[1]);
    expect(new Set(drawn.flat()).size).above(15);
  });

  it('draws from the first layers only where the original does', () => {
    for (const layers of chosenOf(40, 12)) {
      expect(layers).length(10);
      expect(Math.max(...layers)).below(12);
    }
  });

  it('standardises by statistics of all batches', async () => {
    const made = [5, 5, 3].map((count) => batch(count));
    const [scaler] = await pooledScalers(model, ['conv1'], given(made));
    const session = await GraphSession.open(exposeTaps(model, ['conv1'], 'small'));
    const rows: number[] = [];
    for (const { images: data, shape } of made) {
      const { conv1 } = await session.run({ input: { dtype: 'float32', shape, data } });
      rows.push(...(conv1.data as Float32Array));
    }
    await session.close();
    const expected = fitStandardScaler(Float32Array.from(rows), WIDTH);
    for (let c = 0; c < WIDTH; c++) {
      expect(scaler.mean[c]).closeTo(expected.mean[c], 1e-6);
      expect(scaler.scale[c] / expected.scale[c]).closeTo(1, 1e-6);
    }
  });

  it('adds what the detectors find of the batch, by the statistics of this moment, to the loss', async () => {
    const detectors = [0, 1].map((l) => detectorOf(l));
    const made = batch(5);
    const scaler: StandardScaler = {
      mean: Float64Array.of(0.1, -0.2, 0.3, 0),
      scale: Float64Array.of(0.5, 1, 2, 0.7),
    };
    const alone = await lossOf(undefined, made, []);
    const both = await lossOf({ detectors, lambda: LAMBDA, scalers: async () => [] }, made, [unit, scaler]);
    const graph = await GraphSession.open(exposeTaps(model, ['conv1'], 'small'));
    const { images: data, shape } = made;
    // Before the first normalisation, training and use are the same.
    const { conv1 } = await graph.run({ input: { dtype: 'float32', shape, data } });
    await graph.close();
    let sum = 0;
    for (const [l, { mean, scale }] of [unit, scaler].entries())
      for (let i = 0; i < 5; i++)
        for (const [j, alpha] of detectors[l].alpha.entries()) {
          let square = 0;
          for (let c = 0; c < WIDTH; c++) {
            const z = ((conv1.data as Float32Array)[i * WIDTH + c] - mean[c]) / scale[c];
            square += (z - detectors[l].supportVectors[j * WIDTH + c]) ** 2;
          }
          sum += alpha * Math.exp(-detectors[l].gamma * square);
        }
    expect(both - alone).closeTo((-LAMBDA * sum) / 4, 1e-5);
    expect(Math.abs(both - alone)).above(0.01);
  });

  /** The layers that three steps look at, of so many. */
  function chosenOf(count: number, drawFrom?: number): number[][] {
    const detectors = range(count).map(() => detectorOf(0));
    const coTraining: CoTraining = { detectors, lambda: LAMBDA, drawFrom, scalers: async () => [] };
    return [1, 2, 3].map((seed) => {
      const factors = layerFactors(coTraining, new RandomState(seed));
      const chosen = range(count).filter((l) => factors[l] !== 0);
      for (const l of chosen) expect(factors[l]).closeTo(-LAMBDA / (2 * chosen.length), 1e-7);
      return chosen;
    });
  }

  function detectorOf(seed: number): LayerSvm {
    const drawn = new RandomState(seed);
    const normals = (length: number) => Float32Array.from({ length }, () => drawn.normal());
    return {
      ...{ tap: 'conv1', width: WIDTH, scaler: unit, nu: 0.1, gamma: 0.2, rho: 0 },
      supportVectors: normals(3 * WIDTH),
      alpha: normals(3).map(Math.abs),
    };
  }

  async function lossOf(coTraining: CoTraining | undefined, made: TrainingBatch, scalers: StandardScaler[]) {
    const optimizer = { momentum: 0, weightDecay: 0 };
    const session = await onnxEngine.open({ model, where: 'small', objective: { coTraining }, optimizer });
    sessions.push(session);
    session.standardize(scalers);
    return (await session.step({ ...made, images: made.images.slice() }, 0, new RandomState(1))).loss;
  }

  function batch(count: number): TrainingBatch {
    const images = Float32Array.from({ length: count * SIDE * SIDE * 3 }, () => random.normal());
    const labels = Int32Array.from({ length: count }, () => random.integer(9));
    return { images, shape: [count, 3, SIDE, SIDE], labels };
  }
});

async function* given(batches: readonly TrainingBatch[]): AsyncGenerator<TrainingBatch, void, undefined> {
  yield* batches;
}

function range(count: number): number[] {
  return [...Array(count).keys()];
}
