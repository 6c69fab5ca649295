import { expect } from 'chai';
import * as ort from 'onnxruntime-node';
import { RandomState } from '../../src/common/random.ts';
import { decisionModel } from '../../src/detectors/decision-model.ts';
import { evidenceScores, fitEvidenceScale } from '../../src/detectors/evidence.ts';
import { evidenceModel } from '../../src/detectors/evidence-model.ts';
import { type GaussianDetector, GaussianFitter, groupTaps } from '../../src/detectors/gaussian.ts';
import { joinModels } from '../../src/graph/join.ts';
import { conformalPValues, encodeModel, GraphError } from '../../src/index.ts';
import { evidenceOf } from '../../src/pipeline/scorer.ts';
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

describe('evidence of groups of layers', () => {
  it('puts neighbouring taps together as far as there is room', () => {
    expect(groupTaps([...widths.values()])).to.deep.equal([[0, 1], [2], [3]]);
    expect(groupTaps([512, 512, 10])).to.deep.equal([[0], [1], [2]]);
  });

  it('scores as the formula says, from distances to the sum', async () => {
    const train = samples(2000, 1);
    const fitter = await GaussianFitter.open(1);
    const detectors: GaussianDetector[] = [];
    for (const group of groups) {
      const together = sideBySide(train, group, 2000);
      detectors.push(await fitter.fit(group, together, together.length / 2000));
    }
    const held = samples(400, 2);
    const distances = (await run(evidenceModel(detectors, inputs), held)).layer_scores;
    expect(distances.dims).to.deep.equal([400, 3]);

    // log |L⁻¹ z|², in float64.
    const mahalanobis = (values: Record<string, Float32Array>, i: number, d: number) => {
      const { scaler, whitening, taps } = detectors[d];
      const width = scaler.mean.length;
      const x = sideBySide(values, taps, values.logits.length / classes).subarray(i * width, (i + 1) * width);
      let sum = 0;
      for (let r = 0; r < width; r++) {
        let white = 0;
        for (let j = 0; j < width; j++)
          white += (whitening[r * width + j] * (x[j] - scaler.mean[j])) / scaler.scale[j];
        sum += white ** 2;
      }
      return Math.log(sum);
    };
    for (const i of [0, 17, 399])
      for (let d = 0; d < 3; d++)
        expect(distances.data[i * 3 + d]).to.be.closeTo(mahalanobis(held, i, d), 1e-4);
    // As many as there are channels, on average, where samples are as those of training.
    for (let d = 0; d < 3; d++) {
      const width = detectors[d].scaler.mean.length;
      let mean = 0;
      for (let i = 0; i < 400; i++) mean += Math.exp(Number(distances.data[i * 3 + d])) / 400;
      expect(mean / width).to.be.within(0.9, 1.25);
    }

    const evidence = evidenceOf(distances.data as Float32Array, held.logits, classes);
    const rows = Uint32Array.from({ length: 200 }, (_, i) => 2 * i);
    const scale = fitEvidenceScale(evidence, classes, rows);
    const model = evidenceModel(detectors, inputs, scale);
    const outputs = await run(model, held);
    const expected = evidenceScores(evidence, scale);
    for (let i = 0; i < 400; i++) expect(outputs.ood_score.data[i]).to.be.closeTo(expected[i], 1e-3);
    const far = (await run(model, samples(50, 3, 4))).ood_score.data as Float32Array;
    expect(Math.min(...far)).to.be.greaterThan(Math.max(...expected));
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
    expect(error.message).to.match(/^here\.onnx: has a value named .* already; rename it$/);
  });
});
