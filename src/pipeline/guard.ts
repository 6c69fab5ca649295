import { basename } from 'node:path';
import { openFeatures } from '../../converters/hdf5/features.ts';
import { GraphError, RunError } from '../common/errors.ts';
import { sha256File } from '../common/files.ts';
import type { OnProgress } from '../common/progress.ts';
import { RandomState } from '../common/random.ts';
import type { Tensor } from '../common/tensor.ts';
import { decisionModel } from '../detectors/decision-model.ts';
import { type Calibration, calibrate, conformalPValues } from '../evaluation/conformal.ts';
import { auroc } from '../evaluation/metrics.ts';
import { joinModels } from '../graph/join.ts';
import type { ModelProto } from '../graph/onnx.ts';
import { readModel } from '../graph/read.ts';
import { setMetadata } from '../graph/rewrite.ts';
import { writeModel } from '../graph/write.ts';
import type { DeviceName } from '../runtime/device.ts';
import { GraphSession } from '../runtime/graph-session.ts';
import { oodFiles, setName } from './evaluate.ts';
import { featureFile } from './feature-files.ts';
import { type FeatureGraph, featureGraph } from './feature-graph.ts';
import { layersOf, runOnFeatures } from './feature-rows.ts';
import type { RunFolder } from './run-folder.ts';
import {
  type Aggregation,
  type DetectorKind,
  fitLayers,
  gatherEvidence,
  type Scorer,
  scorerOf,
} from './scorer.ts';
import { programVersion } from './versions.ts';

export interface GuardOptions {
  /** What watches the layers; Gaussians where absent. */
  readonly detector?: DetectorKind;
  /** How layer scores become one; evidence where absent. */
  readonly aggregation?: Aggregation;
  /** False-alarm rate, (0, 1); 5 % where absent. */
  readonly rate?: number;
  /** Confidence of the stated upper bound of the rate, (0, 1); 95 % where absent. */
  readonly confidence?: number;
  /** Name of the InD set; the one that the run folder has features of, where absent. */
  readonly ind?: string;
  /** Seed of the split of the held-out images. */
  readonly seed?: number;
  readonly device?: DeviceName;
  readonly onProgress?: OnProgress;
}

export interface GuardReport {
  /** Of the file, relative to the run folder. */
  readonly file: string;
  readonly detector: DetectorKind;
  readonly aggregation: Aggregation;
  readonly layers: readonly string[];
  readonly calibration: Calibration;
  /** How the run's OOD sets fare: AUROC against the calibration images, and the share that is called OOD. */
  readonly sets: readonly { readonly name: string; readonly auroc: number; readonly found: number }[];
  readonly seconds: number;
  readonly done: 'now' | 'before';
}

const FILE = 'guarded.onnx';

/** Of the held-out InD images, this share scales the scores; the others give the p-values. */
const SCALE_SHARE = 0.5;

/** Largest difference to the separate pieces, as a share of the largest value. */
const TOLERANCE = 1e-4;

/**
 * Writes `guarded.onnx`: pixels in, logits, label, score, p-value and decision out. The run's InD test features are
 * the held-out images: neither the backbone nor the detectors have seen them. A seeded half of them scales the scores,
 * the other half gives threshold and p-values.
 *
 * The written file is read back and compared with its pieces on images made for that.
 *
 * @throws RunError where features or detectors are missing; UsageError where there are too few images for the rate;
 * GraphError where the file does not do what its pieces do
 */
export async function guardRun(run: RunFolder, options: GuardOptions = {}): Promise<GuardReport> {
  const { detector = 'gaussian', aggregation = 'evidence', rate = 0.05, confidence = 0.95 } = options;
  const { ind, seed = 0, device, onProgress } = options;
  const path = run.file('backbone.onnx');
  const backbone = await readModel(path);
  const graph = featureGraph(backbone, path);
  const backboneHash = await sha256File(path);
  const heldOut = await featureFile(run, 'test', ind);
  const oods = await oodFiles(run, heldOut).catch((error) => {
    if (error instanceof RunError) return [];
    throw error;
  });
  const fittedOn = detector === 'ocsvm' ? run.file('detectors.onnx') : await featureFile(run, 'train', ind);
  const inputs: Record<string, string> = {
    backbone: backboneHash,
    fitted: await hashOf(fittedOn, run),
    heldOut: await sha256File(heldOut),
  };
  for (const file of oods) inputs[setName(file)] = await sha256File(file);

  const classNames = classNamesOf(run, heldOut);

  const { record, done } = await run.do({
    name: 'guard',
    settings: { detector, aggregation, rate, confidence, seed, ...(classNames && { classNames }) },
    inputs,
    run: async () => {
      const [scaleRows, calibrationRows] = halves(seed);
      const fitted = await fitLayers(detector, graph, fittedOn, backboneHash, onProgress);
      const evidence = await gatherEvidence(fitted, heldOut, backboneHash, onProgress);
      const scorer = scorerOf(aggregation, fitted, evidence, scaleRows(evidence.labels.length));
      const session = await GraphSession.open(scorer.model, { device });
      try {
        const score = (file: string) => scoreFile(session, scorer, file, backboneHash, onProgress);
        const scores = await score(heldOut);
        const known = Float32Array.from(calibrationRows(scores.length), (row) => scores[row]);
        const calibration = calibrate(known, rate, confidence);
        const classes = graph.widths[graph.taps.indexOf(graph.logits)];
        const decision = decisionModel(graph.logits, classes, known, calibration.threshold);
        const metadata = {
          ...guardMetadata({ detector, aggregation }, scorer, calibration, inputs),
          ...(classNames && { [CLASSES_KEY]: JSON.stringify(classNames) }),
        };
        const guarded = join(graph, scorer, decision, metadata, path);
        await writeModel(run.file(FILE), guarded);
        await verify(run.file(FILE), graph, scorer, known, calibration.threshold);
        const sets: GuardReport['sets'][number][] = [];
        for (const file of oods) {
          const ood = await score(file);
          const found = ood.reduce((sum, s) => sum + (s > calibration.threshold ? 1 : 0), 0) / ood.length;
          sets.push({ name: setName(file), auroc: auroc(known, ood), found });
        }
        const results = { detector, aggregation, layers: scorer.layers, calibration, sets };
        return { outputs: [FILE], results, device: session.device };
      } finally {
        await session.close();
      }
    },
  });
  const results = record.results as unknown as Pick<
    GuardReport,
    'detector' | 'aggregation' | 'layers' | 'calibration' | 'sets'
  >;
  return { ...results, file: FILE, seconds: record.seconds, done };
}

/** Metadata key of the names of the classes, a JSON list. */
export const CLASSES_KEY = 'la_ood.classes';

/** Accuracy from which on the held-out set's classes are taken for the classifier's, in its order. */
const SAME_CLASSES = 0.5;

/** The names of the classes, where the held-out set says them and the classifier is mostly right by them. */
function classNamesOf(run: RunFolder, heldOut: string): readonly string[] | undefined {
  const results = run.record(`features/${basename(heldOut, '.hdf5')}`)?.results;
  const { accuracy = 0, classes } = (results ?? {}) as { accuracy?: number; classes?: readonly string[] };
  return accuracy >= SAME_CLASSES ? classes : undefined;
}

async function hashOf(file: string, run: RunFolder): Promise<string> {
  return sha256File(file).catch(() => {
    throw new RunError(file, 'is missing', `run la-ood fit --run ${run.path} first`);
  });
}

/** Which held-out images scale the scores, and which give the p-values. */
function halves(seed: number): [(count: number) => Uint32Array, (count: number) => Uint32Array] {
  const order = (count: number) => new RandomState(seed).permutation(count);
  const cut = (count: number) => Math.floor(SCALE_SHARE * count);
  return [(count) => order(count).subarray(0, cut(count)), (count) => order(count).subarray(cut(count))];
}

async function scoreFile(
  session: GraphSession,
  scorer: Scorer,
  path: string,
  backbone: string,
  onProgress?: OnProgress,
): Promise<Float32Array> {
  const features = await openFeatures(path);
  try {
    const layers = layersOf(features, scorer.taps, path, backbone);
    const scores = new Float32Array(features.count);
    const progress = { task: `score ${setName(path)}`, tell: onProgress };
    for await (const { start, outputs } of runOnFeatures(session, features, layers, ['ood_score'], progress))
      scores.set(outputs.ood_score.data as Float32Array, start);
    return scores;
  } finally {
    features.close();
  }
}

/** @param inputs SHA-256 of the backbone and of what the guard was fitted and calibrated on */
function guardMetadata(
  method: { readonly detector: DetectorKind; readonly aggregation: Aggregation },
  scorer: Scorer,
  calibration: Calibration,
  inputs: Readonly<Record<string, string>>,
) {
  return {
    'la_ood.guard': programVersion,
    'la_ood.detector': method.detector,
    'la_ood.aggregation': method.aggregation,
    'la_ood.layers': JSON.stringify(scorer.layers),
    'la_ood.calibration': JSON.stringify(calibration),
    'la_ood.backbone_sha256': inputs.backbone,
    'la_ood.fitted_on_sha256': inputs.fitted,
    'la_ood.calibrated_on_sha256': inputs.heldOut,
  };
}

/** What a guarded model yields, in this order. */
const OUTPUTS = ['label', 'ood_score', 'p_value', 'is_ood', 'ood_layer', 'layer_scores'];

function join(
  features: FeatureGraph,
  scorer: Scorer,
  decision: ModelProto,
  metadata: Record<string, string>,
  where: string,
): ModelProto {
  const whole = joinModels(joinModels(features.model, scorer.model, where), decision, where);
  const outputs = [features.logits, ...OUTPUTS].map(
    (name) => whole.graph.output.find((output) => output.name === name)!,
  );
  return setMetadata({ ...whole, graph: { ...whole.graph, output: outputs } }, metadata);
}

/** Compares the written file with the feature graph, the scorer and p-values computed here, on made images. */
async function verify(
  path: string,
  features: FeatureGraph,
  scorer: Scorer,
  calibration: Float32Array,
  threshold: number,
): Promise<void> {
  const feeds = { pixels: testImages(features) };
  const once = async (model: ModelProto, inputs: Record<string, Tensor>, outputs: readonly string[]) => {
    const session = await GraphSession.open(model, { device: 'cpu' });
    try {
      return await session.run(inputs, outputs);
    } finally {
      await session.close();
    }
  };
  const pooled = await once(features.model, feeds, [...new Set([...scorer.taps, features.logits])]);
  const { ood_score } = await once(
    scorer.model,
    Object.fromEntries(scorer.taps.map((tap) => [tap, pooled[tap]])),
    ['ood_score'],
  );
  const guarded = await once(await readModel(path), feeds, [features.logits, ...OUTPUTS]);
  const expected: Record<string, Float32Array> = {
    [features.logits]: pooled[features.logits].data as Float32Array,
    ood_score: ood_score.data as Float32Array,
  };
  const scores = Float32Array.from(guarded.ood_score.data as Float32Array);
  expected.p_value = Float32Array.from(conformalPValues(calibration, scores));
  expected.is_ood = scores.map((score) => (score > threshold ? 1 : 0));
  for (const [name, values] of Object.entries(expected)) {
    const found = guarded[name].data as Float32Array;
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    const difference = values.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i])), 0);
    if (!(difference <= TOLERANCE * largest))
      throw new GraphError(
        path,
        `its ${name} differs by ${difference.toPrecision(2)} from that of its pieces`,
        'do not use it, and report this',
      );
  }
}

/** Noise, and noise smoothed over the whole image: a seeded handful of images, as many as the graph takes. */
function testImages({ size: { height, width }, batch }: FeatureGraph): Tensor {
  const count = batch ?? 8;
  const random = new RandomState(0);
  const data = new Uint8Array(count * height * width * 3);
  for (let i = 0; i < count; i++) {
    const spread = 256 >> (i % 8);
    const base = random.integer(256 - spread);
    for (let at = 0; at < height * width * 3; at++)
      data[i * height * width * 3 + at] = base + random.integer(spread - 1);
  }
  return { dtype: 'uint8', shape: [count, height, width, 3], data };
}
