import { advice, GraphError, option } from '../../common/errors.ts';
import { decisionModel, withThreshold } from '../../detectors/decision-model.ts';
import { type Aggregation, fitAggregation, layersModel } from '../../detectors/layer-aggregation.ts';
import { type LayerDetectors, layerNames } from '../../detectors/layer-detectors.ts';
import { fitLimits, stageScores } from '../../detectors/stage-scales.ts';
import { type Calibration, calibrate } from '../../evaluation/conformal.ts';
import { flaggedShare } from '../../evaluation/guard-scores.ts';
import { auroc } from '../../evaluation/metrics.ts';
import { joinModels } from '../../graph/join.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { readModel } from '../../graph/read.ts';
import { setName } from '../features/feature-files.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';
import { outputsOnFeatures } from '../features/feature-rows.ts';
import { earlyExitGraph, type StagedScales } from './early-exit-graph.ts';
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
  readonly aggregation: Aggregation;
  /** Channels of the taps that detectors watch. */
  readonly widths: ReadonlyMap<string, number>;
  /** Feature files: of held-out InD images, and of OOD sets to report on. */
  readonly heldOut: string;
  readonly oods: readonly string[];
  /** How detectors are run on them. */
  readonly running: Parameters<typeof outputsOnFeatures>[2];
  readonly rate: number;
  readonly confidence: number;
  /** The backbone's file, for errors. */
  readonly where: string;
}

/** A model that lets images leave early, what is to be said of it, and how its written file is checked. */
export interface EarlyExitGuard {
  readonly model: ModelProto;
  readonly metadata: Readonly<Record<string, string>>;
  readonly report: Omit<EarlyExitReport, 'file'>;
  verify(path: string): Promise<void>;
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
  ownDetectors: LayerDetectors,
  { aggregation: kind, widths, heldOut, oods, running, rate, confidence, where }: EarlyExitOptions,
): Promise<EarlyExitGuard> {
  const network = stageNetwork(features, ownDetectors);
  const { detectors, complete, shares } = network;
  if (shares.length === 1)
    throw new GraphError(
      where,
      'has no place where it can be cut in two',
      advice`leave out ${option('earlyExit')}`,
    );
  const model = layersModel(detectors, widths);
  const layerScores = async (path: string) =>
    (await outputsOnFeatures(model, path, running)).get('layer_scores')!;
  const known = await layerScores(heldOut);
  const aggregation = fitAggregation(kind, known, detectors.groups.length);
  const scales = { aggregation, limits: fitLimits(known, aggregation, complete, rate) };

  const scoresOf = (layers: Float32Array) => runningMaxima(layers, network, scales);
  const last = (scores: readonly Float32Array[]) => Float32Array.from(scores, (row) => row[row.length - 1]);
  const scores = scoresOf(known);
  const calibrationScores = last(scores);
  const calibration = calibrate(calibrationScores, rate, confidence);
  const { threshold } = calibration;
  const computed = (of: readonly Float32Array[]) =>
    of.reduce((sum, row) => sum + shares[exitOf(row, threshold)], 0) / of.length;
  const sets: EarlyExitReport['sets'][number][] = [];
  for (const path of oods) {
    const ood = scoresOf(await layerScores(path));
    const own = last(ood);
    sets.push({
      ...{ name: setName(path), auroc: auroc(calibrationScores, own) },
      ...{ found: flaggedShare(calibration, own), computed: computed(ood) },
    });
  }
  const classes = features.widths[features.taps.indexOf(features.logits)];
  const decision = decisionModel(features.logits, classes, calibrationScores, threshold);
  return {
    model: joinModels(earlyExitGraph(network, scales), decision, where),
    metadata: {
      'la_ood.layers': JSON.stringify(layerNames(detectors)),
      'la_ood.stages': JSON.stringify(shares),
    },
    report: { shares, calibration, computed: computed(scores), sets },
    verify: (path) => verify(path, network, widths, scales, threshold),
  };
}

/** For each image its largest score up to each stage. */
function runningMaxima(
  layers: Float32Array,
  { complete }: StagedNetwork,
  { aggregation, limits }: StagedScales,
): Float32Array[] {
  const stages = complete.length;
  const scores = stageScores(layers, aggregation, complete, limits);
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
  path: string,
  network: StagedNetwork,
  widths: ReadonlyMap<string, number>,
  scales: StagedScales,
  threshold: number,
): Promise<void> {
  const { features, detectors } = network;
  const pixels = testImages(features);
  const taps = [...widths.keys()];
  const pooled = await runOnce(features.model, { pixels }, [...new Set([...taps, features.logits])]);
  const feeds = Object.fromEntries(taps.map((tap) => [tap, pooled[tap]]));
  const { layer_scores } = await runOnce(layersModel(detectors, widths), feeds, ['layer_scores']);
  const maxima = runningMaxima(layer_scores.data as Float32Array, network, scales);
  const model = await readModel(path);
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
