import { expect } from 'chai';
import * as ort from 'onnxruntime-node';
import { RandomState } from '../../src/common/random.ts';
import { fitGaussians } from '../../src/detectors/fit-gaussians.ts';
import { fitKnn } from '../../src/detectors/fit-knn.ts';
import {
  aggregate,
  aggregations,
  fitAggregation,
  layersModel,
} from '../../src/detectors/layer-aggregation.ts';
import {
  chooseDetectors,
  type DetectorFitter,
  groupTaps,
  type LayerDetectors,
  layerNames,
  sideBySide,
  type TapGroup,
} from '../../src/detectors/layer-detectors.ts';
import { moments } from '../../src/detectors/moments.ts';
import { fitStandardScaler, standardize } from '../../src/detectors/standard-scaler.ts';
import { DetectorError, encodeModel } from '../../src/index.ts';
import { caught } from './thrown.ts';

/** Taps of 20, 60, 60 (two groups) and 150 channels, whose values depend on each other; five classes. */
const widths = new Map([
  ['a', 20],
  ['b', 60],
  ['c', 60],
  ['d', 150],
]);
const classes = 5;
const groups = [['a', 'b'], ['c'], ['d']];

function samples(count: number, seed: number, spread = 1): Record<string, Float32Array> {
  const random = new RandomState(seed);
  const made: Record<string, Float32Array> = {};
  for (const [tap, width] of [...widths, ['logits', classes] as const]) {
    const values = new Float32Array(count * width);
    for (let i = 0; i < count; i++) {
      let last = 0;
      for (let j = 0; j < width; j++) {
        last = 0.6 * last + spread * random.normal();
        values[i * width + j] = 50 + 3 * j + last;
      }
    }
    made[tap] = values;
  }
  for (let at = 0; at < made.logits.length; at++) made.logits[at] = 3 * random.normal();
  return made;
}

async function run(model: Parameters<typeof encodeModel>[0], values: Record<string, Float32Array>) {
  const session = await ort.InferenceSession.create(encodeModel(model));
  const count = values.logits.length / classes;
  const outputs = await session.run(
    Object.fromEntries(
      session.inputNames.map((name) => [
        name,
        new ort.Tensor('float32', values[name], [count, values[name].length / count]),
      ]),
    ),
  );
  await session.release();
  return outputs;
}

/** The values of taps, sample by sample. */
function joinedRows(values: Record<string, Float32Array>, taps: readonly string[], count: number) {
  const parts = taps.map((tap) => widths.get(tap)!);
  const rows: number[] = [];
  for (let i = 0; i < count; i++)
    taps.forEach((tap, t) => {
      rows.push(...values[tap].subarray(i * parts[t], (i + 1) * parts[t]));
    });
  return Float32Array.from(rows);
}

/** The groups of taps that detectors are fitted on. */
async function* trainingGroups(values: Record<string, Float32Array>): AsyncGenerator<TapGroup> {
  const count = values.logits.length / classes;
  for (const taps of groups) {
    const features = joinedRows(values, taps, count);
    yield { taps, features, width: features.length / count };
  }
}

/** A group's standardised rows: of the samples that a detector was fitted on, and of others. */
function standardizedRows(
  train: Record<string, Float32Array>,
  held: Record<string, Float32Array>,
  g: number,
) {
  const rows = (values: typeof train) => joinedRows(values, groups[g], values.logits.length / classes);
  const width = rows(held).length / (held.logits.length / classes);
  const scaler = fitStandardScaler(rows(train), width);
  const cut = (z: Float64Array) =>
    Array.from({ length: z.length / width }, (_, i) => z.subarray(i * width, (i + 1) * width));
  return {
    width,
    fitted: cut(standardize(scaler, rows(train))),
    asked: cut(standardize(scaler, rows(held))),
  };
}

/** x with A x = b, for a symmetric positive A: Gaussian elimination. */
function solved(matrix: readonly Float64Array[], right: Float64Array): Float64Array {
  const a = matrix.map((row, i) => Float64Array.of(...row, right[i]));
  const n = a.length;
  for (let i = 0; i < n; i++)
    for (let r = i + 1; r < n; r++) {
      const factor = a[r][i] / a[i][i];
      for (let c = i; c <= n; c++) a[r][c] -= factor * a[i][c];
    }
  const x = new Float64Array(n);
  for (let i = n - 1; i >= 0; i--) {
    let sum = a[i][n];
    for (let c = i + 1; c < n; c++) sum -= a[i][c] * x[c];
    x[i] = sum / a[i][i];
  }
  return x;
}

/** Covariance of rows, each centred by a centre of its own, with the ridge of the detectors. */
function covarianceOf(
  rows: readonly Float64Array[],
  centerOf: (row: number) => Float64Array,
): Float64Array[] {
  const width = rows[0].length;
  const sums = Array.from({ length: width }, (_, j) =>
    new Float64Array(width).fill(0).map((_, k) => (j === k ? 1e-3 : 0)),
  );
  rows.forEach((row, r) => {
    const center = centerOf(r);
    for (let j = 0; j < width; j++)
      for (let k = 0; k < width; k++)
        sums[j][k] += ((row[j] - center[j]) * (row[k] - center[k])) / rows.length;
  });
  return sums;
}

function mahalanobis(covariance: readonly Float64Array[], x: Float64Array, mean: Float64Array): number {
  const centered = x.map((value, j) => value - mean[j]);
  const solution = solved(covariance, centered);
  return centered.reduce((sum, value, j) => sum + value * solution[j], 0);
}

describe('detectors of groups of layers', () => {
  const train = samples(1500, 1);
  const held = samples(40, 2);
  const asked = [0, 17, 39];

  async function distances(fitKind: DetectorFitter): Promise<Float32Array> {
    const detectors = await fitKind(trainingGroups(train), 1);
    expect(detectors.groups).to.deep.equal(groups);
    const { layer_scores } = await run(layersModel(detectors, widths), held);
    return layer_scores.data as Float32Array;
  }

  it('puts neighbouring taps together as far as there is room', () => {
    expect(groupTaps([...widths.values()])).to.deep.equal([[0, 1], [2], [3]]);
    expect(groupTaps([512, 512, 10])).to.deep.equal([[0], [1], [2]]);
    expect(groupTaps([100, 28, 1])).to.deep.equal([[0, 1], [2]]);
    expect(groupTaps([])).to.deep.equal([]);
  });

  it('lays the values of taps side by side, sample by sample', () => {
    const columns = [Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(7, 8, 9)];
    expect([...sideBySide(columns, [2, 1])]).to.deep.equal([1, 2, 7, 3, 4, 8, 5, 6, 9]);
    expect(sideBySide(columns.slice(0, 1), [2])).to.equal(columns[0]);
  });

  it('chooses some of them, in another order, and some of these again', async () => {
    const detectors = await fitGaussians(trainingGroups(train), 1);
    const chosen = chooseDetectors(detectors, [2, 0]);
    expect(chosen.groups).to.deep.equal([groups[2], groups[0]]);
    const scores = async (of: LayerDetectors) =>
      (await run(layersModel(of, widths), held)).layer_scores.data as Float32Array;
    const all = await scores(detectors);
    const [two, one] = [await scores(chosen), await scores(chooseDetectors(chosen, [1]))];
    for (let i = 0; i < 40; i++) {
      expect([...two.subarray(2 * i, 2 * i + 2)]).to.deep.equal([all[3 * i + 2], all[3 * i]]);
      expect(one[i]).to.equal(all[3 * i]);
    }
  });

  it('measures the distance from a Gaussian', async () => {
    const scores = await distances(fitGaussians);
    for (let g = 0; g < 3; g++) {
      const { fitted, asked: rows, width } = standardizedRows(train, held, g);
      const mean = new Float64Array(width);
      const covariance = covarianceOf(fitted, () => mean);
      for (const i of asked)
        expect(scores[i * 3 + g]).to.be.closeTo(Math.log(mahalanobis(covariance, rows[i], mean)), 1e-3);
    }
  });

  it('measures the distance from the fifth nearest of some samples', async () => {
    const scores = await distances(fitKnn);
    const chosen = new RandomState(0).permutation(1500).subarray(0, 1000);
    for (let g = 0; g < 3; g++) {
      const { fitted, asked: rows } = standardizedRows(train, held, g);
      for (const i of asked) {
        const squared = Array.from(chosen, (r) =>
          fitted[r].reduce((sum, v, j) => sum + (v - rows[i][j]) ** 2, 0),
        );
        expect(scores[i * 3 + g]).to.be.closeTo(Math.log(squared.sort((a, b) => a - b)[4]), 1e-3);
      }
    }
  });

  it('refuses features that are no numbers', async () => {
    const broken = { ...train, c: train.c.map((value, at) => (at === 7 ? Number.NaN : value)) };
    for (const fitKind of [fitGaussians, fitKnn]) {
      const error = await caught(() => fitKind(trainingGroups(broken), 1));
      expect(error).to.be.instanceOf(DetectorError);
      expect(error.message).to.equal('layer c: a feature is not a finite number');
    }
  });
});

describe('the aggregation of layers', () => {
  const train = samples(1500, 1);
  const known = samples(400, 2);

  for (const kind of aggregations)
    it(`is the ${kind} in the graph, and here`, async () => {
      const detectors = await fitGaussians(trainingGroups(train), 1);
      const raw = (await run(layersModel(detectors, widths), known)).layer_scores.data as Float32Array;
      const fitted = fitAggregation(kind, raw, 3);
      const column = (d: number) => Array.from({ length: 400 }, (_, i) => raw[i * 3 + d]);
      const usual = [0, 1, 2].map((d) => moments(column(d)));
      const outputs = await run(layersModel(detectors, widths, fitted), known);
      const scores = aggregate(raw, 3, fitted);
      for (let i = 0; i < 400; i++) {
        const own = Array.from(raw.subarray(3 * i, 3 * i + 3), (score, d) =>
          kind === 'max' ? score : (score - usual[d].mean) / usual[d].deviation,
        );
        const expected = kind === 'max' ? Math.max(...own) : (own[0] + own[1] + own[2]) / 3;
        expect(scores[i]).to.be.closeTo(expected, 1e-5);
        expect(outputs.ood_score.data[i]).to.be.closeTo(expected, 1e-3);
        expect(Number(outputs.ood_layer.data[i])).to.equal(own.indexOf(Math.max(...own)));
      }
      const far = (await run(layersModel(detectors, widths, fitted), samples(50, 3, 4))).ood_score.data;
      expect(Math.min(...(far as Float32Array))).to.be.greaterThan(Math.max(...scores));
    });

  it('names detectors by the ends of what they watch', async () => {
    expect(layerNames(await fitGaussians(trainingGroups(train), 1))).to.deep.equal(['a … b', 'c', 'd']);
  });

  it('is no number where a tap is none', async () => {
    const detectors = await fitGaussians(trainingGroups(train), 1);
    for (const tap of ['a', 'd']) {
      const broken = { ...known, [tap]: known[tap].slice().fill(Number.NaN, 0, widths.get(tap)) };
      const raw = (await run(layersModel(detectors, widths), broken)).layer_scores.data as Float32Array;
      const mean = fitAggregation('mean', raw.subarray(3), 3);
      const { ood_score } = await run(layersModel(detectors, widths, mean), broken);
      expect(ood_score.data[0], tap).to.be.NaN;
      expect(ood_score.data[1]).to.not.be.NaN;
    }
  });
});
