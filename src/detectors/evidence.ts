import type { DetectorKind } from './detector-panel.ts';
import { moments } from './moments.ts';
import { alarmOf, fitVoices, type Heard, type Voice, type VoiceScale, voicesOf } from './voices.ts';

/** Layer scores and the classifier's own doubt, put on one scale: what is usual among InD samples. */
export interface EvidenceScale {
  /** Of each layer score among InD samples of each predicted class: classes × layers, row-major. */
  readonly layers: ClassMoments;
  /** Of the energy of the logits, for each predicted class. */
  readonly energy: ClassMoments;
  /** Of what the voices say, by standardised layer scores and energy. */
  readonly voices: readonly VoiceScale[];
}

/** Mean and deviation of values of samples of each class: classes × values, row-major. */
export interface ClassMoments {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

/** What a scorer knows of samples before the scores are put on one scale. */
export interface Evidence {
  /** n × layers, row-major; higher is more OOD. */
  readonly layerScores: Float32Array;
  /** Of each layer score, the kind of its detector. */
  readonly kinds: readonly DetectorKind[];
  /** n free energies of the logits; higher is more OOD. */
  readonly energy: ArrayLike<number>;
  /** n predicted classes. */
  readonly labels: Uint32Array;
}

/** A class's moments are drawn to those of all samples as if it had so many samples more that are like all. */
const PRIOR = 20;

/**
 * Fits the scale on InD samples that neither the backbone nor the detectors have seen. They must not be those that give
 * the p-values: their scores would no longer be exchangeable with those of new InD samples.
 *
 * @param rows which samples
 * @param voices that are to hear the detectors
 */
export function fitEvidenceScale(
  evidence: Evidence,
  classes: number,
  rows: Uint32Array,
  voices: readonly Voice[] = voicesOf(evidence.kinds),
): EvidenceScale {
  const { layerScores, energy, labels } = evidence;
  const layers = fitClassMoments(layerScores, labels, classes, rows);
  const doubt = fitClassMoments(energy, labels, classes, rows);
  const samples = Array.from(rows, (row) => heardOf(evidence, layers, doubt, row));
  return { layers, energy: doubt, voices: fitVoices(samples, voices) };
}

/** The score of every sample: how alarmed the voices are. */
export function evidenceScores(evidence: Evidence, { layers, voices, energy }: EvidenceScale): Float64Array {
  return Float64Array.from(evidence.labels, (_, row) =>
    alarmOf(heardOf(evidence, layers, energy, row), voices),
  );
}

/** A sample's layer scores as they are; they and its energy, standardised by what is usual for its predicted class. */
function heardOf(evidence: Evidence, layers: ClassMoments, energy: ClassMoments, row: number): Heard {
  const label = evidence.labels[row];
  const raw = layerScoresOf(evidence, row);
  const at = label * raw.length;
  return {
    raw,
    standardised: Float64Array.from(
      raw,
      (score, l) => (score - layers.mean[at + l]) / layers.deviation[at + l],
    ),
    energy: (evidence.energy[row] - energy.mean[label]) / energy.deviation[label],
  };
}

/** What the detectors say of a sample. */
export function layerScoresOf({ layerScores, labels }: Evidence, row: number): Float32Array {
  const width = layerScores.length / labels.length;
  return layerScores.subarray(row * width, (row + 1) * width);
}

/** @param values n × width, row-major */
function fitClassMoments(
  values: ArrayLike<number>,
  labels: Uint32Array,
  classes: number,
  rows: Uint32Array,
): ClassMoments {
  const width = values.length / labels.length;
  const mean = new Float64Array(classes * width);
  const deviation = new Float64Array(classes * width);
  const counts = new Float64Array(classes);
  for (const row of rows) counts[labels[row]]++;
  for (let l = 0; l < width; l++) {
    const all = moments(Array.from(rows, (row) => values[row * width + l]));
    const sums = new Float64Array(classes).fill(PRIOR * all.mean);
    for (const row of rows) sums[labels[row]] += values[row * width + l];
    const means = sums.map((sum, c) => sum / (counts[c] + PRIOR));
    const squares = new Float64Array(classes).fill(PRIOR * all.deviation ** 2);
    for (const row of rows) squares[labels[row]] += (values[row * width + l] - means[labels[row]]) ** 2;
    for (let c = 0; c < classes; c++) {
      mean[c * width + l] = means[c];
      deviation[c * width + l] = Math.sqrt(squares[c] / (counts[c] + PRIOR)) || 1;
    }
  }
  return { mean, deviation };
}
