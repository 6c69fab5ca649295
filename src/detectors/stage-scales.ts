import { type Evidence, type EvidenceScale, evidenceScores, layerScoresOf } from './evidence.ts';
import { moments } from './moments.ts';
import { alarmOf, fitVoices, type Heard, type VoiceScale, voicesOf } from './voices.ts';

/**
 * How the scores of a network's successive stages are put on one scale. A stage's score is how far it is above a limit
 * that few InD samples exceed, in its own deviations: so one threshold, near 0, serves all stages, and the largest of their
 * scores is a score of its own, with one calibration.
 */
export interface StageScales {
  /** Of all stages but the last. */
  readonly early: readonly EarlyScale[];
  /** Of the last stage: the evidence of all detectors and the logits. */
  readonly last: Limit;
}

/** Of a stage before the last: how alarmed its detectors are so far, standardised whatever the class. */
export interface EarlyScale extends Limit {
  /** Of each detector's score; there are as many as have been computed by this stage. */
  readonly means: Float64Array;
  readonly deviations: Float64Array;
  /** Of what the voices say that hear some of them. */
  readonly voices: readonly VoiceScale[];
}

export interface Limit {
  /** A score that this stage's part of the false alarms exceeds. */
  readonly limit: number;
  /** Deviation of the score. */
  readonly spread: number;
}

/**
 * The early stages' part of the false alarms. They see less: what they are given is lost to the last one, which decides
 * best. Of a quarter, near-OOD images lose less than a point.
 */
const EARLY_PART = 0.25;

/**
 * Fits the scales of stages on InD samples that neither the backbone nor the detectors have seen, and that do not give the
 * p-values.
 *
 * @param counts how many detectors have been computed by the end of each early stage, at least one
 * @param rows which samples
 * @param rate false-alarm rate that the stages are meant for, (0, 1)
 */
export function fitStageScales(
  evidence: Evidence,
  scale: EvidenceScale,
  counts: readonly number[],
  rows: Uint32Array,
  rate: number,
): StageScales {
  const width = evidence.layerScores.length / evidence.labels.length;
  const ofRows = (values: ArrayLike<number>) => Float64Array.from(rows, (row) => values[row]);
  const early = counts.map((count) => {
    const columns = Array.from({ length: count }, (_, l) =>
      moments(Array.from(rows, (row) => evidence.layerScores[row * width + l])),
    );
    const means = Float64Array.from(columns, ({ mean }) => mean);
    const deviations = Float64Array.from(columns, ({ deviation }) => deviation);
    const samples = heardSoFar(evidence, { means, deviations });
    const voices = fitVoices(
      Array.from(rows, (row) => samples[row]),
      voicesOf(evidence.kinds),
      count,
    );
    const scores = Array.from(rows, (row) => alarmOf(samples[row], voices));
    return { means, deviations, voices, ...limitOf(scores, (rate * EARLY_PART) / counts.length) };
  });
  const part = counts.length > 0 ? 1 - EARLY_PART : 1;
  return { early, last: limitOf(ofRows(evidenceScores(evidence, scale)), rate * part) };
}

/** What every stage says of every sample: n × stages, row-major; higher is more OOD. */
export function stageScores(
  evidence: Evidence,
  scale: EvidenceScale,
  { early, last }: StageScales,
): Float64Array {
  const stages = [
    ...early.map((stage) => heardSoFar(evidence, stage).map((sample) => alarmOf(sample, stage.voices))),
    evidenceScores(evidence, scale),
  ];
  const limits = [...early, last];
  const scores = new Float64Array(evidence.labels.length * stages.length);
  stages.forEach((values, s) => {
    const { limit, spread } = limits[s];
    values.forEach((value, row) => {
      scores[row * stages.length + s] = (value - limit) / spread;
    });
  });
  return scores;
}

/** The scores of each sample that a stage has. */
function heardSoFar(
  evidence: Evidence,
  { means, deviations }: Pick<EarlyScale, 'means' | 'deviations'>,
): Heard[] {
  return Array.from(evidence.labels, (_, row) => {
    const raw = layerScoresOf(evidence, row).subarray(0, means.length);
    return { raw, standardised: Float64Array.from(raw, (score, l) => (score - means[l]) / deviations[l]) };
  });
}

/** The largest score where no part of them can exceed it. */
function limitOf(scores: ArrayLike<number>, part: number): Limit {
  const sorted = Float64Array.from(scores).sort();
  const limit = sorted[sorted.length - 1 - Math.floor(part * sorted.length)];
  return { limit, spread: moments(Array.from(scores)).deviation };
}
