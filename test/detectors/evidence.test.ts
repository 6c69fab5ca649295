import { expect } from 'chai';
import * as ort from 'onnxruntime-node';
import { RandomState } from '../../src/common/random.ts';
import { decisionModel } from '../../src/detectors/decision-model.ts';
import { type DetectorKind, type DetectorPanel, panelOf } from '../../src/detectors/detector-panel.ts';
import { evidenceScores, fitEvidenceScale } from '../../src/detectors/evidence.ts';
import { evidenceModel } from '../../src/detectors/evidence-model.ts';
import { fitGaussians } from '../../src/detectors/gaussian.ts';
import { fitKnn } from '../../src/detectors/knn.ts';
import {
  type FitLayerDetectors,
  groupTaps,
  type LayerDetectors,
  type TapGroup,
} from '../../src/detectors/layer-detectors.ts';
import { fitMahalanobis } from '../../src/detectors/mahalanobis.ts';
import { moments } from '../../src/detectors/moments.ts';
import { fitStandardScaler, standardise } from '../../src/detectors/standard-scaler.ts';
import { alarmOf, fitVoices, voicesOf } from '../../src/detectors/voices.ts';
import { joinModels } from '../../src/graph/join.ts';
import { conformalPValues, DetectorError, encodeModel, GraphError } from '../../src/index.ts';
import { predictedClasses } from '../../src/pipeline/guard/gather-evidence.ts';
import { caught } from './thrown.ts';

/** Taps of 20, 60, 60 (two groups) and 150 channels, whose values depend on each other; five classes. */
const widths = new Map([
  ['a', 20],
  ['b', 60],
  ['c', 60],
  ['d', 150],
]);
const classes = 5;
const inputs = { widths, logits: 'logits', classes };
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

function sideBySide(values: Record<string, Float32Array>, taps: readonly string[], count: number) {
  const parts = taps.map((tap) => widths.get(tap)!);
  const rows: number[] = [];
  for (let i = 0; i < count; i++)
    taps.forEach((tap, t) => {
      rows.push(...values[tap].subarray(i * parts[t], (i + 1) * parts[t]));
    });
  return Float32Array.from(rows);
}

/** The groups of taps that detectors are fitted on, with classes that the values depend on a little. */
async function* trainingGroups(values: Record<string, Float32Array>): AsyncGenerator<TapGroup> {
  const count = values.logits.length / classes;
  const labels = predictedClasses(values.logits, classes);
  for (const taps of groups) {
    const features = sideBySide(values, taps, count);
    yield { taps, features, width: features.length / count, labels, classes };
  }
}

const alone = (kind: DetectorKind, detectors: LayerDetectors) => panelOf(new Map([[kind, detectors]]));

/** A group's standardised rows: of the samples that a detector was fitted on, and of others. */
function standardisedRows(
  train: Record<string, Float32Array>,
  held: Record<string, Float32Array>,
  g: number,
) {
  const rows = (values: typeof train) => sideBySide(values, groups[g], values.logits.length / classes);
  const width = rows(held).length / (held.logits.length / classes);
  const scaler = fitStandardScaler(rows(train), width);
  const cut = (z: Float64Array) =>
    Array.from({ length: z.length / width }, (_, i) => z.subarray(i * width, (i + 1) * width));
  return {
    width,
    fitted: cut(standardise(scaler, rows(train))),
    asked: cut(standardise(scaler, rows(held))),
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
  centreOf: (row: number) => Float64Array,
): Float64Array[] {
  const width = rows[0].length;
  const sums = Array.from({ length: width }, (_, j) =>
    new Float64Array(width).fill(0).map((_, k) => (j === k ? 1e-3 : 0)),
  );
  rows.forEach((row, r) => {
    const centre = centreOf(r);
    for (let j = 0; j < width; j++)
      for (let k = 0; k < width; k++)
        sums[j][k] += ((row[j] - centre[j]) * (row[k] - centre[k])) / rows.length;
  });
  return sums;
}

function mahalanobis(covariance: readonly Float64Array[], x: Float64Array, mean: Float64Array): number {
  const centred = x.map((value, j) => value - mean[j]);
  const solution = solved(covariance, centred);
  return centred.reduce((sum, value, j) => sum + value * solution[j], 0);
}

describe('detectors of groups of layers', () => {
  const train = samples(1500, 1);
  const held = samples(40, 2);
  const asked = [0, 17, 39];

  async function distances(fitKind: FitLayerDetectors): Promise<Float32Array> {
    const detectors = await fitKind(trainingGroups(train), 1);
    expect(detectors.groups).to.deep.equal(groups);
    const { layer_scores } = await run(evidenceModel(alone('gaussian', detectors), inputs), held);
    return layer_scores.data as Float32Array;
  }

  it('puts neighbouring taps together as far as there is room', () => {
    expect(groupTaps([...widths.values()])).to.deep.equal([[0, 1], [2], [3]]);
    expect(groupTaps([512, 512, 10])).to.deep.equal([[0], [1], [2]]);
  });

  it('measures the distance from a Gaussian', async () => {
    const scores = await distances(fitGaussians);
    for (let g = 0; g < 3; g++) {
      const { fitted, asked: rows, width } = standardisedRows(train, held, g);
      const mean = new Float64Array(width);
      const covariance = covarianceOf(fitted, () => mean);
      for (const i of asked)
        expect(scores[i * 3 + g]).to.be.closeTo(Math.log(mahalanobis(covariance, rows[i], mean)), 1e-3);
    }
  });

  it('measures the distance from the nearest class', async () => {
    const scores = await distances(fitMahalanobis);
    const labels = predictedClasses(train.logits, classes);
    for (let g = 0; g < 3; g++) {
      const { fitted, asked: rows, width } = standardisedRows(train, held, g);
      const means = Array.from({ length: classes }, (_, c) => {
        const own = fitted.filter((_, r) => labels[r] === c);
        return new Float64Array(width).map((_, j) => own.reduce((sum, row) => sum + row[j], 0) / own.length);
      });
      const covariance = covarianceOf(fitted, (r) => means[labels[r]]);
      for (const i of asked) {
        const nearest = Math.min(...means.map((mean) => mahalanobis(covariance, rows[i], mean)));
        expect(scores[i * 3 + g]).to.be.closeTo(Math.log(nearest), 1e-3);
      }
    }
  });

  it('measures the distance from the fifth nearest of some samples', async () => {
    const scores = await distances(fitKnn);
    const chosen = new RandomState(0).permutation(1500).subarray(0, 1000);
    for (let g = 0; g < 3; g++) {
      const { fitted, asked: rows } = standardisedRows(train, held, g);
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
    for (const fitKind of [fitGaussians, fitMahalanobis, fitKnn]) {
      const error = await caught(() => fitKind(trainingGroups(broken), 1));
      expect(error).to.be.instanceOf(DetectorError);
      expect(error.message).to.equal('layer c: a feature is not a finite number');
    }
  });
});

describe('evidence', () => {
  const train = samples(2000, 1);
  const fitters: Partial<Record<DetectorKind, () => Promise<LayerDetectors>>> = {
    gaussian: () => fitGaussians(trainingGroups(train), 1),
    knn: () => fitKnn(trainingGroups(train), 1),
  };

  async function panel(...kinds: DetectorKind[]) {
    const byKind = new Map<DetectorKind, LayerDetectors>();
    for (const kind of kinds) byKind.set(kind, await fitters[kind]!());
    return panelOf(byKind);
  }

  /** Held-out samples, and the scale and the model that they give. */
  async function scaled(detectors: DetectorPanel) {
    const held = samples(400, 2);
    const { layer_scores, energy } = await run(evidenceModel(detectors, inputs), held);
    const evidence = {
      layerScores: layer_scores.data as Float32Array,
      energy: energy.data as Float32Array,
      kinds: detectors.kinds,
      labels: predictedClasses(held.logits, classes),
    };
    const rows = Uint32Array.from({ length: 200 }, (_, i) => 2 * i);
    const scale = fitEvidenceScale(evidence, classes, rows);
    return { held, evidence, scale, model: evidenceModel(detectors, inputs, scale) };
  }

  for (const kinds of [['gaussian'], ['gaussian', 'knn'], ['knn', 'gaussian']] as const)
    it(`is scored in the graph as the formula says (${kinds.join(', ')})`, async () => {
      const detectors = await panel(...kinds);
      const { held, evidence, scale, model } = await scaled(detectors);
      const outputs = await run(model, held);
      expect(outputs.layer_scores.dims).to.deep.equal([400, detectors.groups.length]);
      const expected = evidenceScores(evidence, scale);
      for (let i = 0; i < 400; i++) expect(outputs.ood_score.data[i]).to.be.closeTo(expected[i], 1e-3);
      const far = (await run(model, samples(50, 3, 4))).ood_score.data as Float32Array;
      expect(Math.min(...far)).to.be.greaterThan(Math.max(...expected));
    });

  it('says what its detectors watch', async () => {
    const { names } = await panel('gaussian', 'knn');
    const groups = ['a … b', 'c', 'd'];
    expect(names).to.deep.equal(
      ['gaussian', 'knn'].flatMap((kind) => groups.map((group) => `${group} (${kind})`)),
    );
  });

  it('is log Σ exp of what voices say, each with its part of the energy', async () => {
    const { evidence, scale } = await scaled(await panel('gaussian', 'knn'));
    const { layers, energy, voices } = scale;
    // Three Gaussians, and three of the second kind; what the voices hear of a row, and its energy.
    const heard = (row: number) => {
      const label = evidence.labels[row];
      const own = (which: 'mean' | 'deviation', d: number) => layers[which][label * 6 + d];
      const raw = Array.from(evidence.layerScores.subarray(row * 6, row * 6 + 6));
      const z = raw.map((score, d) => (score - own('mean', d)) / own('deviation', d));
      const mean = (of: number[]) => of.reduce((a, b) => a + b, 0) / of.length;
      return {
        values: [mean(z.slice(0, 3)), mean(raw.slice(3, 6))],
        doubt: (evidence.energy[row] - energy.mean[label]) / energy.deviation[label],
      };
    };
    expect(voices.map(({ detectors }) => detectors)).to.deep.equal([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    const scaledOn = Array.from({ length: 200 }, (_, i) => heard(2 * i));
    const doubts = [1.3, 0.4];
    const said = doubts.map((weight, v) => {
      const own = moments(scaledOn.map(({ values }) => values[v]));
      const add = ({ values, doubt }: ReturnType<typeof heard>) =>
        (values[v] - own.mean) / own.deviation + weight * doubt;
      const all = moments(scaledOn.map(add));
      return (row: number) => (add(heard(row)) - all.mean) / all.deviation;
    });
    const scores = evidenceScores(evidence, scale);
    for (const row of [0, 13, 399]) {
      const expected = Math.log(said.reduce((sum, voice) => sum + Math.exp(voice(row)), 0));
      expect(scores[row]).to.be.closeTo(expected, 1e-9);
    }
  });

  it('hears the three largest of more scores', () => {
    const random = new RandomState(0);
    const kinds: DetectorKind[] = ['gaussian', ...Array(5).fill('ocsvm')];
    const samples = Array.from({ length: 50 }, () => {
      const raw = Float64Array.from(kinds, () => random.normal());
      return { raw, standardised: raw };
    });
    const voices = fitVoices(samples, voicesOf(kinds)).filter(({ hears }) => hears === 'largest');
    const [{ heard, said }] = voices;
    expect(heard.mean).to.be.greaterThan(0.4);
    // Of one voice alone, the alarm is what it says: of the largest three of 9, 5, 4, 0 and 0 the mean, 6.
    const raw = [100, 9, 0, 5, 4, 0];
    const expected = ((6 - heard.mean) / heard.deviation - said.mean) / said.deviation;
    expect(alarmOf({ raw, standardised: raw }, voices)).to.be.closeTo(expected, 1e-9);
  });

  it('is no number where a tap is none', async () => {
    const { held, model } = await scaled(await panel('gaussian', 'knn'));
    for (const tap of ['a', 'd']) {
      const broken = { ...held, [tap]: held[tap].slice().fill(Number.NaN, 0, widths.get(tap)) };
      const { ood_score } = await run(model, broken);
      expect(ood_score.data[0], tap).to.be.NaN;
      expect(ood_score.data[1]).to.not.be.NaN;
    }
  });
});

describe('decisionModel', () => {
  const calibration = Float32Array.of(0, 1, 2, 3, 3, 4, 5, 6, 7);
  const model = decisionModel('logits', 2, calibration, 5);

  it('gives label, p-value and decision; a score that is no number is the most suspicious', async () => {
    const session = await ort.InferenceSession.create(encodeModel(model));
    const scores = Float32Array.of(-1, 3, 5, 5.5, 100, Number.POSITIVE_INFINITY, Number.NaN);
    const logits = new ort.Tensor(
      'float32',
      Float32Array.from({ length: 14 }, (_, i) => (i % 2 ? 0.5 : (i / 2) % 2)),
      [7, 2],
    );
    const outputs = await session.run({ ood_score: new ort.Tensor('float32', scores, [7]), logits });
    expect(Array.from(outputs.is_ood.data as Uint8Array)).to.deep.equal([0, 0, 0, 1, 1, 1, 1]);
    const pValues = Array.from(outputs.p_value.data as Float32Array);
    const expected = [...conformalPValues(calibration, scores.subarray(0, 6)), 0.1];
    for (const [i, p] of pValues.entries()) expect(p).to.be.closeTo(expected[i], 1e-6);
    await session.release();
  });

  it('is not put behind a graph that has values of its names', async () => {
    const error = await caught(async () => joinModels(model, model, 'here.onnx'));
    expect(error).to.be.instanceOf(GraphError);
    expect(error.message).to.match(
      /^here\.onnx: has a value named .* already; la-ood import gives it another name$/,
    );
  });
});
