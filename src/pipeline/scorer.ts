import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { openFeatures } from '../../converters/hdf5/features.ts';
import { DetectorError } from '../common/errors.ts';
import type { OnProgress } from '../common/progress.ts';
import { detectorsModel, detectorsOfModel } from '../detectors/detectors-model.ts';
import { type Evidence, fitEvidenceScale } from '../detectors/evidence.ts';
import { type EvidenceInputs, evidenceModel } from '../detectors/evidence-model.ts';
import { type GaussianDetector, GaussianFitter, groupTaps } from '../detectors/gaussian.ts';
import { baselineScores } from '../evaluation/baselines.ts';
import type { ModelProto } from '../graph/onnx.ts';
import { decodeModel } from '../graph/read.ts';
import { GraphSession } from '../runtime/graph-session.ts';
import type { FeatureGraph } from './feature-graph.ts';
import { layersOf, runOnFeatures } from './feature-rows.ts';

/** A graph from pooled features to `layer_scores`, `ood_score` and `ood_layer`. */
export interface Scorer {
  readonly model: ModelProto;
  /** Its inputs. */
  readonly taps: readonly string[];
  /** What each column of `layer_scores` watches. */
  readonly layers: readonly string[];
}

/** The paper's scorer, from a file of detectors: the maximum of the one-class SVMs' scores. */
export async function laOodScorer(path: string): Promise<Scorer> {
  const detectors = detectorsOfModel(decodeModel(await readFile(path), path), path);
  const taps = detectors.map(({ tap }) => tap);
  return { model: detectorsModel(detectors), taps, layers: taps };
}

export interface EvidenceOptions {
  /** Feature files: of the images that the backbone was trained on, and of InD images that it was not. */
  readonly train: string;
  readonly heldOut: string;
  /** SHA-256 of the backbone that they must be of. */
  readonly backbone: string;
  /** The held-out images that the scale is fitted on. */
  readonly rows: (count: number) => Uint32Array;
  readonly onProgress?: OnProgress;
}

/** Fits the evidence scorer: Gaussians of the layers on the training images, its scale on held-out ones. */
export async function fitEvidenceScorer(
  { taps: all, detectorTaps, widths: allWidths, logits }: FeatureGraph,
  { train, heldOut, backbone, rows, onProgress }: EvidenceOptions,
): Promise<Scorer> {
  const taps = detectorTaps.filter((tap) => tap !== logits);
  const widths = new Map(taps.map((tap) => [tap, allWidths[all.indexOf(tap)]]));
  const inputs: EvidenceInputs = { widths, logits, classes: allWidths[all.indexOf(logits)] };
  const detectors = await fitGaussians(train, inputs, backbone, onProgress);
  const evidence = await gatherEvidence(detectors, inputs, heldOut, backbone, onProgress);
  const scale = fitEvidenceScale(evidence, inputs.classes, rows(evidence.labels.length));
  return {
    model: evidenceModel(detectors, inputs, scale),
    taps: [...taps, logits],
    layers: detectors.map(({ taps }) =>
      taps.length > 1 ? `${taps[0]} … ${taps[taps.length - 1]}` : taps[0],
    ),
  };
}

async function fitGaussians(
  train: string,
  { widths }: EvidenceInputs,
  backbone: string,
  onProgress?: OnProgress,
): Promise<GaussianDetector[]> {
  const fitter = await GaussianFitter.open(availableParallelism());
  const features = await openFeatures(train);
  try {
    const layers = layersOf(features, [...widths.keys()], train, backbone);
    const groups = groupTaps([...widths.values()]);
    const detectors: GaussianDetector[] = [];
    for (const group of groups) {
      const watched = group.map((at) => layers[at]);
      const columns = watched.map(({ index }) => features.readLayer(index));
      const together = sideBySide(
        columns,
        watched.map(({ width }) => width),
        features.count,
      );
      const width = together.length / features.count;
      detectors.push(
        await fitter.fit(
          watched.map(({ tap }) => tap),
          together,
          width,
        ),
      );
      onProgress?.({ task: 'fit', done: detectors.length, total: groups.length, unit: 'groups of layers' });
    }
    return detectors;
  } finally {
    features.close();
  }
}

async function gatherEvidence(
  detectors: readonly GaussianDetector[],
  inputs: EvidenceInputs,
  path: string,
  backbone: string,
  onProgress?: OnProgress,
): Promise<Evidence> {
  const session = await GraphSession.open(evidenceModel(detectors, inputs), { device: 'cpu' });
  const features = await openFeatures(path);
  try {
    const layers = layersOf(features, [...inputs.widths.keys()], path, backbone);
    const layerScores = new Float32Array(features.count * detectors.length);
    const progress = { task: 'scale', tell: onProgress };
    for await (const { start, outputs } of runOnFeatures(
      session,
      features,
      layers,
      ['layer_scores'],
      progress,
    ))
      layerScores.set(outputs.layer_scores.data as Float32Array, start * detectors.length);
    const [{ index }] = layersOf(features, [inputs.logits], path, backbone);
    return evidenceOf(layerScores, features.readLayer(index), inputs.classes);
  } finally {
    features.close();
    await session.close();
  }
}

/** Layer scores with what the logits say. */
export function evidenceOf(layerScores: Float32Array, logits: Float32Array, classes: number): Evidence {
  if (!logits.every(Number.isFinite)) throw new DetectorError('logits', 'one is not a finite number');
  const labels = new Uint32Array(logits.length / classes);
  for (let row = 0; row < labels.length; row++) {
    const z = logits.subarray(row * classes, (row + 1) * classes);
    for (let c = 1; c < classes; c++) if (z[c] > z[labels[row]]) labels[row] = c;
  }
  return { layerScores, energy: baselineScores(logits, classes).energy, labels };
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
