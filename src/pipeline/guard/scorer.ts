import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { type FeatureFile, openFeatures } from '../../../converters/hdf5/features.ts';
import { DetectorError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import { detectorsOfModel, oneClassSvms } from '../../detectors/detectors-model.ts';
import { type Evidence, fitEvidenceScale } from '../../detectors/evidence.ts';
import { type EvidenceInputs, evidenceModel } from '../../detectors/evidence-model.ts';
import { fitGaussians } from '../../detectors/gaussian.ts';
import { fitKnn } from '../../detectors/knn.ts';
import {
  type FitLayerDetectors,
  groupTaps,
  type LayerDetectors,
  type TapGroup,
} from '../../detectors/layer-detectors.ts';
import { fitMahalanobis } from '../../detectors/mahalanobis.ts';
import { maximumModel } from '../../detectors/maximum-model.ts';
import { baselineScores } from '../../evaluation/baselines.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { decodeModel } from '../../graph/read.ts';
import { GraphSession } from '../../runtime/graph-session.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';
import { layersOf, runOnFeatures } from '../features/feature-rows.ts';

/** What watches the layers; `ocsvm` are the detectors that `fitDetectors` wrote, the others are fitted by the guard. */
export const detectorKinds = ['gaussian', 'ocsvm', 'mahalanobis', 'knn'] as const;
export type DetectorKind = (typeof detectorKinds)[number];

/** How layer scores become one: see `evidenceModel` and `maximumModel`. */
export const aggregations = ['evidence', 'max'] as const;
export type Aggregation = (typeof aggregations)[number];

/** A graph from pooled features to `layer_scores`, `ood_score` and `ood_layer`. */
export interface Scorer {
  readonly model: ModelProto;
  /** Its inputs. */
  readonly taps: readonly string[];
  /** What each column of `layer_scores` watches. */
  readonly layers: readonly string[];
}

const fitters: Readonly<Record<Exclude<DetectorKind, 'ocsvm'>, FitLayerDetectors>> = {
  gaussian: fitGaussians,
  mahalanobis: fitMahalanobis,
  knn: fitKnn,
};

/** Detectors of a network's layers, and the inputs of their graphs. */
export interface FittedLayers {
  readonly detectors: LayerDetectors;
  readonly inputs: EvidenceInputs;
}

/**
 * Fits detectors of a kind, or reads those that were fitted.
 *
 * @param path for `ocsvm` a file of detectors, else features of the images that the backbone was trained on
 * @param backbone SHA-256 of the backbone that the features must be of
 */
export async function fitLayers(
  kind: DetectorKind,
  { taps: all, detectorTaps, widths: allWidths, logits }: FeatureGraph,
  path: string,
  backbone: string,
  onProgress?: OnProgress,
): Promise<FittedLayers> {
  const widthOf = (tap: string) => allWidths[all.indexOf(tap)];
  const inputs = (taps: readonly string[]): EvidenceInputs => ({
    widths: new Map(taps.map((tap) => [tap, widthOf(tap)])),
    logits,
    classes: widthOf(logits),
  });
  if (kind === 'ocsvm') {
    const detectors = oneClassSvms(detectorsOfModel(decodeModel(await readFile(path), path), path));
    return { detectors, inputs: inputs(detectors.groups.flat()) };
  }
  const watched = inputs(detectorTaps.filter((tap) => tap !== logits));
  const features = await openFeatures(path);
  try {
    const groups = groupsOf(features, watched, path, backbone, onProgress);
    return { detectors: await fitters[kind](groups, availableParallelism()), inputs: watched };
  } finally {
    features.close();
  }
}

/**
 * The scorer of detectors under an aggregation.
 *
 * @param heldOut what the detectors say of InD images that the backbone was not trained on
 * @param rows those of them that the scale of `evidence` is fitted on
 */
export function scorerOf(
  aggregation: Aggregation,
  { detectors, inputs }: FittedLayers,
  heldOut: Evidence,
  rows: Uint32Array,
): Scorer {
  const { widths, logits, classes } = inputs;
  const layers = detectors.groups.map((taps) =>
    taps.length > 1 ? `${taps[0]} … ${taps[taps.length - 1]}` : taps[0],
  );
  const taps = [...widths.keys()];
  if (aggregation === 'max') return { model: maximumModel(detectors, widths), taps, layers };
  const model = evidenceModel(detectors, inputs, fitEvidenceScale(heldOut, classes, rows));
  return { model, taps: [...new Set([...taps, logits])], layers };
}

/** What detectors and logits say of the samples of a feature file. */
export async function gatherEvidence(
  { detectors, inputs }: FittedLayers,
  path: string,
  backbone: string,
  onProgress?: OnProgress,
): Promise<Evidence> {
  const session = await GraphSession.open(evidenceModel(detectors, inputs), { device: 'cpu' });
  const features = await openFeatures(path);
  try {
    const layers = layersOf(features, [...inputs.widths.keys()], path, backbone);
    const width = detectors.groups.length;
    const layerScores = new Float32Array(features.count * width);
    const progress = { task: 'scale', tell: onProgress };
    for await (const { start, outputs } of runOnFeatures(
      session,
      features,
      layers,
      ['layer_scores'],
      progress,
    ))
      layerScores.set(outputs.layer_scores.data as Float32Array, start * width);
    return evidenceOf(layerScores, logitsOf(features, inputs, path, backbone), inputs.classes);
  } finally {
    features.close();
    await session.close();
  }
}

/** Layer scores with what the logits say. */
export function evidenceOf(layerScores: Float32Array, logits: Float32Array, classes: number): Evidence {
  return {
    layerScores,
    energy: baselineScores(logits, classes).energy,
    labels: predictedClasses(logits, classes),
  };
}

async function* groupsOf(
  features: FeatureFile,
  inputs: EvidenceInputs,
  path: string,
  backbone: string,
  onProgress?: OnProgress,
): AsyncGenerator<TapGroup> {
  const { widths, classes } = inputs;
  const layers = layersOf(features, [...widths.keys()], path, backbone);
  const labels = predictedClasses(logitsOf(features, inputs, path, backbone), classes);
  const groups = groupTaps([...widths.values()]);
  for (const [done, group] of groups.entries()) {
    const watched = group.map((at) => layers[at]);
    const columns = watched.map(({ index }) => features.readLayer(index));
    const together = sideBySide(
      columns,
      watched.map(({ width }) => width),
      features.count,
    );
    const width = together.length / features.count;
    yield { taps: watched.map(({ tap }) => tap), features: together, width, labels, classes };
    onProgress?.({ task: 'fit', done: done + 1, total: groups.length, unit: 'groups of layers' });
  }
}

function logitsOf(
  features: FeatureFile,
  { logits }: EvidenceInputs,
  path: string,
  backbone: string,
): Float32Array {
  const [{ index }] = layersOf(features, [logits], path, backbone);
  return features.readLayer(index);
}

function predictedClasses(logits: Float32Array, classes: number): Uint32Array {
  if (!logits.every(Number.isFinite)) throw new DetectorError('logits', 'one is not a finite number');
  const labels = new Uint32Array(logits.length / classes);
  for (let row = 0; row < labels.length; row++) {
    const z = logits.subarray(row * classes, (row + 1) * classes);
    for (let c = 1; c < classes; c++) if (z[c] > z[labels[row]]) labels[row] = c;
  }
  return labels;
}

function sideBySide(columns: readonly Float32Array[], widths: readonly number[], rows: number): Float32Array {
  if (columns.length === 1) return columns[0];
  const width = widths.reduce((a, b) => a + b, 0);
  const together = new Float32Array(rows * width);
  let at = 0;
  columns.forEach((column, c) => {
    for (let row = 0; row < rows; row++)
      together.set(column.subarray(row * widths[c], (row + 1) * widths[c]), row * width + at);
    at += widths[c];
  });
  return together;
}
