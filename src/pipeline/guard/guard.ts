import { basename } from 'node:path';
import { openFeatures } from '../../../converters/hdf5/features.ts';
import { RunError, UsageError } from '../../common/errors.ts';
import { sha256File, sha256Files } from '../../common/files.ts';
import type { OnProgress } from '../../common/progress.ts';
import { RandomState } from '../../common/random.ts';
import { decisionModel } from '../../detectors/decision-model.ts';
import type { DetectorKind } from '../../detectors/detector-panel.ts';
import { calibrate } from '../../evaluation/conformal.ts';
import { auroc } from '../../evaluation/metrics.ts';
import { readModel } from '../../graph/read.ts';
import { setMetadata } from '../../graph/rewrite.ts';
import { writeModel } from '../../graph/write.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { GraphSession } from '../../runtime/graph-session.ts';
import { corruptedFile, featureFile, oodFiles, setName } from '../features/feature-files.ts';
import { featureGraph, withTaps } from '../features/feature-graph.ts';
import { layersOf, runOnFeatures } from '../features/feature-rows.ts';
import type { RunFolder } from '../run-folder.ts';
import { type EarlyExitReport, guardWithEarlyExit } from './early-exit.ts';
import { type DetectorSources, fitLayers } from './fitted-layers.ts';
import { gatherEvidence } from './gather-evidence.ts';
import { type GuardMethod, guardMetadata } from './guarded-file.ts';
import { guardedModel, verifyGuarded } from './guarded-model.ts';
import { type Aggregation, type Scorer, scorerOf } from './scorer.ts';

export interface GuardOptions {
  /** The kinds of detectors that watch the layers; where absent, Gaussians, one-class SVMs and probes, for `max` the SVMs alone. */
  readonly detectors?: readonly DetectorKind[];
  /** How layer scores become one; evidence where absent. `max` takes one kind of detectors. */
  readonly aggregation?: Aggregation;
  /** False-alarm rate, (0, 1); 5 % where absent. */
  readonly rate?: number;
  /** Confidence of the stated upper bound of the rate, (0, 1); 95 % where absent. */
  readonly confidence?: number;
  /** Whether `guarded-early-exit.onnx` is written too: images leave the network as soon as they are seen to be OOD. */
  readonly earlyExit?: boolean;
  /** Name of the InD set; the one that the run folder has features of, where absent. */
  readonly ind?: string;
  /** Seed of the split of the held-out images. */
  readonly seed?: number;
  readonly device?: DeviceName;
  readonly onProgress?: OnProgress;
}

export interface GuardReport extends GuardMethod {
  /** Of the file, relative to the run folder. */
  readonly file: string;
  /** How the run's OOD sets fare: AUROC against the calibration images, and the share that is called OOD. */
  readonly sets: readonly { readonly name: string; readonly auroc: number; readonly found: number }[];
  readonly earlyExit?: EarlyExitReport;
  readonly seconds: number;
  readonly done: 'now' | 'before';
}

/** The guard, in the run folder. */
export const GUARD_FILE = 'guarded.onnx';
const EARLY_EXIT_FILE = 'guarded-early-exit.onnx';

const defaultDetectors: Readonly<Record<Aggregation, readonly DetectorKind[]>> = {
  evidence: ['gaussian', 'ocsvm', 'probe'],
  max: ['ocsvm'],
};

/** Of the held-out InD images, this share scales the scores; the others give the p-values. */
const SCALE_SHARE = 0.5;

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
  const { aggregation = 'evidence', rate = 0.05, confidence = 0.95 } = options;
  const detectors = options.detectors ?? defaultDetectors[aggregation];
  const { earlyExit = false, ind, seed = 0, device, onProgress } = options;
  if (earlyExit && aggregation !== 'evidence')
    throw new UsageError('--early-exit', 'has a score of its own', `leave out --aggregation ${aggregation}`);
  if (aggregation === 'max' && detectors.length > 1)
    throw new UsageError('--aggregation', 'max compares scores as they are', 'take one --detector');
  const path = run.file('backbone.onnx');
  const backbone = await readModel(path);
  const graph = featureGraph(backbone, path);
  const backboneHash = await sha256File(path);
  const heldOut = await featureFile(run, 'test', ind);
  const oods = await oodFiles(run, heldOut).catch((error) => {
    if (error instanceof RunError) return [];
    throw error;
  });
  const features = detectors.some((kind) => kind !== 'ocsvm')
    ? await featureFile(run, 'train', ind)
    : undefined;
  const sources: DetectorSources = {
    features,
    corrupted: features && detectors.includes('probe') ? corruptedFile(features) : undefined,
    svms: detectors.includes('ocsvm') ? run.file('detectors.onnx') : undefined,
  };
  const inputs = {
    backbone: backboneHash,
    ...(await hashesOf(run, { ...sources, heldOut }, oods, onProgress)),
  };
  const classNames = graph.classNames ?? classNamesOf(run, heldOut);

  const { record, done } = await run.do({
    name: 'guard',
    settings: {
      ...{ detectors: [...detectors], aggregation, rate, confidence, seed },
      ...(classNames && { classNames }),
      ...(earlyExit && { earlyExit }),
    },
    inputs,
    run: async () => {
      const [scaleRows, calibrationRows] = halves(seed);
      const fitted = await fitLayers(detectors, graph, sources, backboneHash, onProgress);
      const watched = withTaps(graph, fitted.inputs.widths.keys());
      const evidence = await gatherEvidence(
        fitted.detectors,
        fitted.inputs,
        heldOut,
        backboneHash,
        onProgress,
      );
      const scorer = scorerOf(aggregation, fitted, evidence, scaleRows(evidence.labels.length));
      const session = await GraphSession.open(scorer.model, { device });
      try {
        const score = (file: string) => scoreFile(session, scorer, file, backboneHash, onProgress);
        const scores = await score(heldOut);
        const known = Float32Array.from(calibrationRows(scores.length), (row) => scores[row]);
        const calibration = calibrate(known, rate, confidence);
        const classes = graph.widths[graph.taps.indexOf(graph.logits)];
        const decision = decisionModel(graph.logits, classes, known, calibration.threshold);
        const { layers } = scorer;
        const metadata = guardMetadata({ detectors, aggregation, layers, calibration }, classNames, inputs);
        const guarded = guardedModel(watched, scorer, decision, metadata, path);
        await writeModel(run.file(GUARD_FILE), guarded, {
          check: (written) => verifyGuarded(written, watched, scorer, known, calibration.threshold),
        });
        const sets: GuardReport['sets'][number][] = [];
        for (const file of oods) {
          const ood = await score(file);
          const found = ood.reduce((sum, s) => sum + (s > calibration.threshold ? 1 : 0), 0) / ood.length;
          sets.push({ name: setName(file), auroc: auroc(known, ood), found });
        }
        const results = { detectors, aggregation, layers, calibration, sets };
        if (!earlyExit) return { outputs: [GUARD_FILE], results, device: session.device };
        const early = await guardWithEarlyExit(watched, fitted, {
          ...{ heldOut, oods, backbone: backboneHash, rate, confidence, where: path, onProgress },
          ...{ scaleRows, calibrationRows },
        });
        const whole = setMetadata(early.model, { ...metadata, ...early.metadata });
        await writeModel(run.file(EARLY_EXIT_FILE), whole, { check: early.verify });
        return {
          outputs: [GUARD_FILE, EARLY_EXIT_FILE],
          results: { ...results, earlyExit: { ...early.report, file: EARLY_EXIT_FILE } },
          device: session.device,
        };
      } finally {
        await session.close();
      }
    },
  });
  const results = record.results as unknown as GuardMethod & Pick<GuardReport, 'sets' | 'earlyExit'>;
  return { ...results, file: GUARD_FILE, seconds: record.seconds, done };
}

/**
 * SHA-256 of what a guard is made of, by name, and of OOD sets that it is tried on.
 *
 * @throws RunError where there are no one-class SVMs, or features of corrupted images
 */
async function hashesOf(
  run: RunFolder,
  files: DetectorSources & { readonly heldOut: string },
  oods: readonly string[],
  onProgress?: OnProgress,
): Promise<Record<string, string>> {
  const named = [
    ...Object.entries(files).filter(([, file]) => file !== undefined),
    ...oods.map((file) => [setName(file), file]),
  ];
  const hashes = await sha256Files(
    named.map(([, file]) => file),
    onProgress,
  );
  return Object.fromEntries(
    named.map(([name, file], i) => {
      if (hashes[i] !== undefined) return [name, hashes[i]];
      throw new RunError(file, 'is missing', remedies[name]?.(run.path));
    }),
  );
}

/** What a person does where a file of `DetectorSources` is missing. */
const remedies: Readonly<Record<string, (run: string) => string>> = {
  svms: (run) => `run la-ood fit --run ${run} first, or take --detector gaussian`,
  corrupted: (run) =>
    `run la-ood features --run ${run} --train SET once more, or take --detector gaussian ocsvm`,
};

/** Accuracy from which on the held-out set's classes are taken for the classifier's, in its order. */
const SAME_CLASSES = 0.5;

/** The names of the classes, where the held-out set says them and the classifier is mostly right by them. */
function classNamesOf(run: RunFolder, heldOut: string): readonly string[] | undefined {
  const results = run.record(`features/${basename(heldOut, '.hdf5')}`)?.results;
  const { accuracy = 0, classes } = (results ?? {}) as { accuracy?: number; classes?: readonly string[] };
  return accuracy >= SAME_CLASSES ? classes : undefined;
}

/** By a guard's seed, which held-out images scale the scores, and which give the p-values. */
export function halves(seed: number): [(count: number) => Uint32Array, (count: number) => Uint32Array] {
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
