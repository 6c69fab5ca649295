import { GraphError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import { decisionModel, withThreshold } from '../../detectors/decision-model.ts';
import { type Evidence, fitEvidenceScale } from '../../detectors/evidence.ts';
import { evidenceModel } from '../../detectors/evidence-model.ts';
import { fitStageScales, stageScores } from '../../detectors/stage-scales.ts';
import { type Calibration, calibrate } from '../../evaluation/conformal.ts';
import { auroc } from '../../evaluation/metrics.ts';
import { joinModels } from '../../graph/join.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { setName } from '../features/feature-files.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';
import { earlyExitGraph, type StagedScales } from './early-exit-graph.ts';
import type { FittedLayers } from './fitted-layers.ts';
import { evidenceOf, gatherEvidence } from './gather-evidence.ts';
import { requireEqual, runOnce, testImages } from './guarded-model.ts';
import { type StagedNetwork, stageNetwork } from './staged-network.ts';

/** How a guard fares whose images leave the network as soon as they are seen to be OOD. */
export interface EarlyExitReport {
  /** Of the file, relative to the run folder. */
  readonly file: string;
  /** Share of the network's multiplications that is done by the end of each stage, (0, 1]. */
  readonly shares: readonly number[];
  readonly calibration: Calibration;
  /** Mean share of the network's multiplications that an InD image takes. */
  readonly computed: number;
  /** The run's OOD sets: AUROC, the share that is called OOD, and the mean share of the network that an image takes. */
  readonly sets: readonly {
    readonly name: string;
    readonly auroc: number;
    readonly found: number;
    readonly computed: number;
  }[];
}

export interface EarlyExitOptions {
  /** Feature files: of held-out InD images, and of OOD sets to report on. */
  readonly heldOut: string;
  readonly oods: readonly string[];
  /** SHA-256 of the backbone that they must be of. */
  readonly backbone: string;
  /** Which held-out images scale the scores, and which give the p-values. */
  readonly scaleRows: (count: number) => Uint32Array;
  readonly calibrationRows: (count: number) => Uint32Array;
  readonly rate: number;
  readonly confidence: number;
  /** The backbone's file, for errors. */
  readonly where: string;
  /** Bytes that running the network may take beyond its weights; 2 GiB where absent. */
  readonly memory?: number;
  readonly onProgress?: OnProgress;
}

/** A model that lets images leave early, what is to be said of it, and how its written file is checked. */
export interface EarlyExitGuard {
  readonly model: ModelProto;
  readonly metadata: Readonly<Record<string, string>>;
  readonly report: Omit<EarlyExitReport, 'file'>;
  verify(written: ModelProto, path: string): Promise<void>;
}

/**
 * Cuts a network into stages: an image whose score exceeds the threshold after one of them is called OOD, and leaves. The
 * largest score of all stages is calibrated by itself, so that the false-alarm rate is that of all stages together (an
 * image that leaves has exceeded the threshold, whatever later stages would say).
 *
 * The idea is of Wang et al., "Efficient out-of-distribution detection via layer-adaptive scoring and early stopping"
 * (2024); the rule is our own.
 *
 * @throws GraphError where the network cannot be cut; UsageError where there are too few images for the rate
 */
export async function guardWithEarlyExit(
  features: FeatureGraph,
  fitted: FittedLayers,
  options: EarlyExitOptions,
): Promise<EarlyExitGuard> {
  const { heldOut, oods, backbone, rate, confidence, where, memory, onProgress } = options;
  const network = stageNetwork(features, fitted);
  const { detectors, inputs, complete, shares } = network;
  if (shares.length === 1)
    throw new GraphError(where, 'has no place where it can be cut in two', 'leave out --early-exit');
  const gather = (path: string) => gatherEvidence(detectors, inputs, path, backbone, onProgress);
  const known = await gather(heldOut);
  const rows = options.scaleRows(known.labels.length);
  const evidence = fitEvidenceScale(known, inputs.classes, rows);
  const scales = { evidence, stages: fitStageScales(known, evidence, complete.slice(0, -1), rows, rate) };

  const scoresOf = (of: Evidence) => runningMaxima(stageScores(of, evidence, scales.stages), shares.length);
  const last = (scores: readonly Float32Array[]) => Float32Array.from(scores, (row) => row[row.length - 1]);
  const all = scoresOf(known);
  const scores = Array.from(options.calibrationRows(all.length), (row) => all[row]);
  const calibration = calibrate(last(scores), rate, confidence);
  const { threshold } = calibration;
  const computed = (of: readonly Float32Array[]) =>
    of.reduce((sum, row) => sum + shares[exitOf(row, threshold)], 0) / of.length;
  const sets: EarlyExitReport['sets'][number][] = [];
  for (const path of oods) {
    const ood = scoresOf(await gather(path));
    const found = last(ood).reduce((sum, score) => sum + (score > threshold ? 1 : 0), 0) / ood.length;
    const name = setName(path);
    sets.push({ name, auroc: auroc(last(scores), last(ood)), found, computed: computed(ood) });
  }
  const decision = decisionModel(features.logits, inputs.classes, last(scores), threshold);
  return {
    model: joinModels(earlyExitGraph(network, scales), decision, where),
    metadata: {
      'la_ood.calibration': JSON.stringify(calibration),
      'la_ood.layers': JSON.stringify(detectors.names),
      'la_ood.stages': JSON.stringify(shares),
    },
    report: { shares, calibration, computed: computed(scores), sets },
    verify: (written, path) => verify(written, path, network, scales, threshold, memory),
  };
}

/** For each sample its largest score up to each stage. */
function runningMaxima(scores: Float64Array, stages: number): Float32Array[] {
  return Array.from({ length: scores.length / stages }, (_, row) => {
    let most = Number.NEGATIVE_INFINITY;
    return Float32Array.from({ length: stages }, (__, stage) => {
      most = Math.max(most, scores[row * stages + stage]);
      return most;
    });
  });
}

/** The stage after which a sample leaves. */
function exitOf(maxima: Float32Array, threshold: number): number {
  const first = maxima.findIndex((score) => score > threshold);
  return first < 0 ? maxima.length - 1 : first;
}

/** Compares the written file with its pieces on made images: where none may leave early, and as it is. */
async function verify(
  model: ModelProto,
  path: string,
  { features, detectors, inputs, shares }: StagedNetwork,
  { evidence, stages }: StagedScales,
  threshold: number,
  memory?: number,
): Promise<void> {
  const pixels = testImages(features, memory);
  const taps = [...inputs.widths.keys()];
  const pooled = await runOnce(features.model, { pixels }, [...new Set([...taps, features.logits])]);
  const feeds = Object.fromEntries(taps.map((tap) => [tap, pooled[tap]]));
  const { layer_scores } = await runOnce(evidenceModel(detectors, inputs), feeds);
  const found = evidenceOf(
    layer_scores.data as Float32Array,
    detectors.kinds,
    pooled[features.logits].data as Float32Array,
    inputs.classes,
  );
  const maxima = runningMaxima(stageScores(found, evidence, stages), shares.length);
  const whole = await runOnce(withThreshold(model, Number.POSITIVE_INFINITY), { pixels });
  requireEqual(
    path,
    'ood_score',
    whole.ood_score,
    maxima.map((row) => row[row.length - 1]),
  );
  requireEqual(path, features.logits, whole[features.logits], pooled[features.logits].data as Float32Array);
  const early = await runOnce(model, { pixels });
  const exits = maxima.map((row) => exitOf(row, threshold));
  requireEqual(path, 'stage', early.stage, exits);
  requireEqual(
    path,
    'ood_score',
    early.ood_score,
    maxima.map((row, i) => row[exits[i]]),
  );
}
