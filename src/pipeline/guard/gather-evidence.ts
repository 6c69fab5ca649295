import { type FeatureFile, openFeatures } from '../../../converters/hdf5/features.ts';
import { DetectorError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { DetectorKind, DetectorPanel } from '../../detectors/detector-panel.ts';
import type { Evidence } from '../../detectors/evidence.ts';
import { type EvidenceInputs, evidenceModel } from '../../detectors/evidence-model.ts';
import { baselineScores } from '../../evaluation/baselines.ts';
import { GraphSession } from '../../runtime/graph-session.ts';
import { layersOf, runOnFeatures } from '../features/feature-rows.ts';

/**
 * What detectors and logits say of the samples of a feature file.
 *
 * @param backbone SHA-256 of the backbone that the features must be of
 */
export async function gatherEvidence(
  detectors: DetectorPanel,
  inputs: EvidenceInputs,
  path: string,
  backbone: string,
  onProgress?: OnProgress,
): Promise<Evidence> {
  const session = await GraphSession.open(evidenceModel(detectors, inputs), { device: 'cpu' });
  const features = await openFeatures(path);
  try {
    const layers = layersOf(features, [...inputs.widths.keys()], path, backbone, inputs.widths);
    const width = detectors.groups.length;
    const layerScores = new Float32Array(features.count * width);
    const progress = { task: 'scale', onProgress };
    for await (const { start, outputs } of runOnFeatures(
      session,
      features,
      layers,
      ['layer_scores'],
      progress,
    ))
      layerScores.set(outputs.layer_scores.data as Float32Array, start * width);
    const logits = logitsOf(features, inputs, path, backbone);
    return evidenceOf(layerScores, detectors.kinds, logits, inputs.classes);
  } finally {
    features.close();
    await session.close();
  }
}

/** Layer scores with what the logits say. */
export function evidenceOf(
  layerScores: Float32Array,
  kinds: readonly DetectorKind[],
  logits: Float32Array,
  classes: number,
): Evidence {
  return {
    layerScores,
    kinds,
    energy: baselineScores(logits, classes).energy,
    labels: predictedClasses(logits, classes),
  };
}

/** The logits in a feature file, n × classes, row-major. */
export function logitsOf(
  features: FeatureFile,
  { logits }: Pick<EvidenceInputs, 'logits'>,
  path: string,
  backbone: string,
): Float32Array {
  const [{ index }] = layersOf(features, [logits], path, backbone);
  return features.readLayer(index);
}

/** The class of the largest logit, of each sample. @throws DetectorError where a logit is not finite */
export function predictedClasses(logits: Float32Array, classes: number): Uint32Array {
  if (!logits.every(Number.isFinite)) throw new DetectorError('logits', 'one is not a finite number');
  const labels = new Uint32Array(logits.length / classes);
  for (let row = 0; row < labels.length; row++) {
    const z = logits.subarray(row * classes, (row + 1) * classes);
    for (let c = 1; c < classes; c++) if (z[c] > z[labels[row]]) labels[row] = c;
  }
  return labels;
}
