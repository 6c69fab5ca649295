import { expect } from 'chai';
import { DetectorError } from '../../src/common/errors.ts';
import {
  BACKBONE_KEY,
  detectorsModel,
  detectorsOfModel,
  holdsDetectors,
} from '../../src/detectors/detectors-model.ts';
import { layersModel } from '../../src/detectors/layer-aggregation.ts';
import { defaultFitOptions, LayerFitter, type LayerSvm } from '../../src/detectors/layer-svm.ts';
import { oneClassSvms } from '../../src/detectors/one-class-svms.ts';
import { checkModel } from '../../src/graph/check.ts';
import type { ModelProto } from '../../src/graph/onnx.ts';
import { decodeModel } from '../../src/graph/read.ts';
import { encodeModel } from '../../src/graph/write.ts';
import { runModel, smallNet } from '../graph/models.ts';
import { decisionValues, pooledFeatures } from './pooled-features.ts';
import { largestDifference } from './samples.ts';

/** Layers of names that a graph's values may clash with. */
const layers = [
  { tap: 'features.0', width: 5, seed: 3 },
  { tap: 'layer1/conv1', width: 40, seed: 4 },
  { tap: 'layer2/conv1', width: 5, seed: 5 },
] as const;

describe('detectors as an ONNX model', () => {
  let detectors: LayerSvm[];
  let model: ModelProto;
  before(async () => {
    const fitter = await LayerFitter.open();
    detectors = [];
    for (const { tap, width, seed } of layers)
      detectors.push(await fitter.fit(tap, pooledFeatures(900, width, seed), width, defaultFitOptions));
    model = decodeModel(encodeModel(detectorsModel(detectors, { [BACKBONE_KEY]: 'abc' })), 'detectors.onnx');
  });

  /** Features of new samples, some of them far out. */
  const newFeatures = ({ width, seed }: (typeof layers)[number]) =>
    pooledFeatures(64, width, seed + 10).map((value, i) => (i < 10 * width ? 1.5 * value + i : value));

  const score = (scorer: ModelProto, features: readonly Float32Array[]) =>
    runModel(
      scorer,
      Object.fromEntries(
        layers.map(({ tap, width }, l) => [
          tap,
          { data: features[l], dims: [features[l].length / width, width] },
        ]),
      ),
    );

  it('is a sound model that says what it is', () => {
    checkModel(model, 'detectors.onnx');
    expect(holdsDetectors(model)).to.equal(true);
    expect(model.metadataProps.find(({ key }) => key === BACKBONE_KEY)?.value).to.equal('abc');
    expect(model.graph.input.map(({ name }) => name)).to.deep.equal(layers.map(({ tap }) => tap));
  });

  it('comes back as it was', () => {
    const read = detectorsOfModel(model, 'detectors.onnx');
    for (const [l, { supportVectors, rho, ...rest }] of read.entries()) {
      const { supportVectors: wanted, rho: offset, ...expected } = detectors[l];
      expect(rest).to.deep.equal(expected);
      expect(rho).to.equal(Math.fround(offset));
      // They are kept multiplied by 2γ.
      expect(largestDifference(supportVectors, wanted)).to.be.lessThan(1e-5);
    }
  });

  /** The file, and what a guard makes of its detectors. */
  const scorers: Record<string, () => ModelProto> = {
    'one by one': () => model,
    together: () =>
      layersModel(oneClassSvms(detectors), new Map(layers.map(({ tap, width }) => [tap, width]))),
  };
  for (const [kind, scorer] of Object.entries(scorers)) {
    it(`scores a sample by minus its decision function, and says which layer has the highest score (${kind})`, async () => {
      const features = layers.map(newFeatures);
      const { layer_scores, ood_score, ood_layer } = await score(scorer(), features);
      expect(layer_scores.dims).to.deep.equal([64, layers.length]);
      expect([ood_score.dims, ood_layer.dims]).to.deep.equal([[64], [64]]);
      const scores = layer_scores.data as Float32Array;
      for (const [l, detector] of detectors.entries()) {
        const expected = decisionValues(detector, features[l]).map((f) => -f);
        expect(
          largestDifference(
            scores.filter((_, i) => i % layers.length === l),
            expected,
          ),
        ).to.be.lessThan(2e-5);
      }
      for (let i = 0; i < 64; i++) {
        const own = Array.from(scores.subarray(i * layers.length, (i + 1) * layers.length));
        const highest = Math.max(...own);
        expect((ood_score.data as Float32Array)[i]).to.equal(highest);
        expect(Number((ood_layer.data as BigInt64Array)[i])).to.equal(own.indexOf(highest));
      }
    });

    it(`scores the farthest samples by rho, and lets what is no number through (${kind})`, async () => {
      const features = layers.map(newFeatures);
      for (const [i, value] of [
        1e10,
        -1e25,
        Number.MAX_VALUE,
        Number.POSITIVE_INFINITY,
        Number.NaN,
      ].entries())
        for (const [l, { width }] of layers.entries()) features[l].fill(value, i * width, (i + 1) * width);
      const { layer_scores } = await score(scorer(), features);
      const scores = layer_scores.data as Float32Array;
      const of = (i: number) => Array.from(scores.subarray(i * layers.length, (i + 1) * layers.length));
      for (let i = 0; i < 4; i++) expect(of(i)).to.deep.equal(detectors.map(({ rho }) => Math.fround(rho)));
      expect(of(4)).to.deep.equal(layers.map(() => Number.NaN));
    });
  }

  it('is refused where it is no model of detectors, or lacks a part of one', () => {
    expect(() => detectorsOfModel(smallNet(), 'small.onnx')).to.throw(
      DetectorError,
      'small.onnx: is no file of detectors; give the detectors.onnx that la-ood fit wrote',
    );
    const initializer = model.graph.initializer.filter(({ name }) => name !== 'layer1/conv1/alpha');
    expect(() => detectorsOfModel({ ...model, graph: { ...model.graph, initializer } }, 'd.onnx')).to.throw(
      DetectorError,
      'd.onnx: layer layer1/conv1: its alpha are missing; fit it again',
    );
  });
});
