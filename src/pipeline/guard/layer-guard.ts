import { openFeatures } from '../../../converters/hdf5/features.ts';
import { UsageError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import { decisionModel } from '../../detectors/decision-model.ts';
import type { DetectorKind } from '../../detectors/detector-panel.ts';
import { type Calibration, calibrate } from '../../evaluation/conformal.ts';
import { auroc } from '../../evaluation/metrics.ts';
import { readModel } from '../../graph/read.ts';
import { setMetadata } from '../../graph/rewrite.ts';
import { writeModel } from '../../graph/write.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { GraphSession } from '../../runtime/graph-session.ts';
import { setName } from '../features/feature-files.ts';
import { type FeatureGraph, withTaps } from '../features/feature-graph.ts';
import { inputWidths, layersOf, runOnFeatures } from '../features/feature-rows.ts';
import { type EarlyExitReport, guardWithEarlyExit } from './early-exit.ts';
import { type DetectorSources, fitLayers } from './fitted-layers.ts';
import { gatherEvidence } from './gather-evidence.ts';
import { guardedModel, verifyGuarded } from './guarded-model.ts';
import { halves } from './halves.ts';
import { type Aggregation, type LayerScorer, scorerOf } from './scorer.ts';

/** The files that a guard by layers is made of. */
export interface LayerSources extends DetectorSources {
  /** Feature files of held-out InD images, and of OOD sets to report on. */
  readonly heldOut: string;
  readonly oods: readonly string[];
  /** SHA-256 of the backbone that they must be of. */
  readonly backbone: string;
}

export interface LayerOptions {
  readonly detectors: readonly DetectorKind[];
  readonly aggregation: Aggregation;
  readonly rate: number;
  readonly confidence: number;
  readonly seed: number;
  /** Where the guard whose images leave early is written, where there is to be one. */
  readonly earlyExit?: string;
  /** Of the file that is written, beside what it says of itself. */
  readonly metadata: (report: LayerReport) => Readonly<Record<string, string>>;
  /** The backbone's file, for errors. */
  readonly where: string;
  readonly device?: DeviceName;
  /** Bytes that running the network may take beyond its weights; 2 GiB where absent. */
  readonly memory?: number;
  readonly onProgress?: OnProgress;
}

/** How a guard by layers was made, and what it finds. */
export interface LayerReport {
  readonly detectors: readonly DetectorKind[];
  readonly aggregation: Aggregation;
  readonly layers: readonly string[];
  readonly calibration: Calibration;
  /** How the run's OOD sets fare: AUROC against the calibration images, and the share that is called OOD. */
  readonly sets: readonly { readonly name: string; readonly auroc: number; readonly found: number }[];
  readonly earlyExit?: Omit<EarlyExitReport, 'file'>;
}

/**
 * Fits, calibrates, writes and verifies a guard by detectors of layers. A seeded half of the held-out images scales the scores,
 * the other half gives threshold and p-values.
 *
 * @throws RunError where features or detectors are missing; UsageError where there are too few images for the rate; GraphError where
 * the file does not do what its pieces do
 */
export async function guardByLayers(
  graph: FeatureGraph,
  sources: LayerSources,
  options: LayerOptions,
  file: string,
): Promise<LayerReport> {
  const { detectors, aggregation, rate, confidence, seed, earlyExit, where, memory, onProgress } = options;
  const { heldOut, oods, backbone } = sources;
  if (earlyExit && aggregation !== 'evidence')
    throw new UsageError('--early-exit', 'has a score of its own', `leave out --aggregation ${aggregation}`);
  if (aggregation === 'max' && detectors.length > 1)
    throw new UsageError('--aggregation', 'max compares scores as they are', 'take one --detector');
  const [scaleRows, calibrationRows] = halves(seed);
  const fitted = await fitLayers(detectors, graph, sources, backbone, onProgress);
  const watched = withTaps(graph, fitted.inputs.widths.keys());
  const evidence = await gatherEvidence(fitted.detectors, fitted.inputs, heldOut, backbone, onProgress);
  const scorer = scorerOf(aggregation, fitted, evidence, scaleRows(evidence.labels.length));
  const session = await GraphSession.open(scorer.model, { device: options.device });
  try {
    const score = (path: string) => scoreFile(session, scorer, path, backbone, onProgress);
    const scores = await score(heldOut);
    const known = Float32Array.from(calibrationRows(scores.length), (row) => scores[row]);
    const calibration = calibrate(known, rate, confidence);
    const classes = graph.widths[graph.taps.indexOf(graph.logits)];
    const decision = decisionModel(graph.logits, classes, known, calibration.threshold);
    const sets: LayerReport['sets'][number][] = [];
    for (const path of oods) {
      const ood = await score(path);
      const found = ood.reduce((sum, s) => sum + (s > calibration.threshold ? 1 : 0), 0) / ood.length;
      sets.push({ name: setName(path), auroc: auroc(known, ood), found });
    }
    const report: LayerReport = { detectors, aggregation, layers: scorer.layers, calibration, sets };
    const metadata = options.metadata(report);
    await writeModel(file, guardedModel(watched, scorer, decision, metadata, where), {
      check: async (written) =>
        verifyGuarded(await readModel(written), file, watched, scorer, known, calibration.threshold, memory),
    });
    if (!earlyExit) return report;
    const early = await guardWithEarlyExit(watched, fitted, {
      ...{ heldOut, oods, backbone, rate, confidence, where, memory, onProgress },
      ...{ scaleRows, calibrationRows },
    });
    const whole = setMetadata(early.model, { ...metadata, ...early.metadata });
    await writeModel(earlyExit, whole, {
      check: async (written) => early.verify(await readModel(written), earlyExit),
    });
    return { ...report, earlyExit: early.report };
  } finally {
    await session.close();
  }
}

async function scoreFile(
  session: GraphSession,
  scorer: LayerScorer,
  path: string,
  backbone: string,
  onProgress?: OnProgress,
): Promise<Float32Array> {
  const features = await openFeatures(path);
  try {
    const layers = layersOf(features, scorer.taps, path, backbone, inputWidths(scorer.model));
    const scores = new Float32Array(features.count);
    const progress = { task: `score ${setName(path)}`, onProgress };
    for await (const { start, outputs } of runOnFeatures(session, features, layers, ['ood_score'], progress))
      scores.set(outputs.ood_score.data as Float32Array, start);
    return scores;
  } finally {
    features.close();
  }
}
