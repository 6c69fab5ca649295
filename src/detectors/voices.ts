import type { GraphBuilder } from '../graph/builder.ts';
import type { DetectorKind } from './detector-panel.ts';
import { addLogSumExp } from './log-sum-exp.ts';
import { type Moments, moments } from './moments.ts';

/** What is known of a sample. */
export interface Heard {
  /** Its score by each detector, as it is. */
  readonly raw: ArrayLike<number>;
  /** Its scores, standardised by those of InD samples. */
  readonly standardised: ArrayLike<number>;
  /** The standardised energy of its logits; absent as long as there are none. */
  readonly energy?: number;
}

/** What one voice listens to, and how much it counts. */
export interface Voice {
  /** The detectors that it hears. */
  readonly detectors: readonly number[];
  /** The mean of their standardised scores, or that of the largest as they are (the paper takes the largest one). */
  readonly hears: 'mean' | 'largest';
  /** Weight of the energy of the logits. */
  readonly doubt: number;
}

/** A voice, and what is usual for it among InD samples. */
export interface VoiceScale extends Voice {
  /** Of what its detectors say. */
  readonly heard: Moments;
  /** Of that, standardised, and its part of the energy. */
  readonly said: Moments;
}

/** All detectors of the first kind, and the classifier's own doubt: near-OOD images are heard best by both. */
const FIRST_KIND = { hears: 'mean', doubt: 1.3 } as const;

/** The largest scores of another kind. One that is much too large says more than it does to the mean of all. */
const OTHER_KIND = { hears: 'largest', doubt: 0.4 } as const;

/** So many scores are the largest: with one alone, a single detector's noise would be heard. */
const LARGEST = 3;

/** The voices of detectors: all of the first kind, and the largest scores of each other kind. */
export function voicesOf(kinds: readonly DetectorKind[]): Voice[] {
  const ofKind = (kind: DetectorKind) => [...kinds.keys()].filter((d) => kinds[d] === kind);
  const byKind = [...new Set(kinds)].map(ofKind);
  return byKind.map((detectors, at) => ({ detectors, ...(at === 0 ? FIRST_KIND : OTHER_KIND) }));
}

/**
 * Fits the scales of voices.
 *
 * @param samples InD samples
 * @param count how many detectors there are so far; all where absent
 */
export function fitVoices(
  samples: readonly Heard[],
  voices: readonly Voice[],
  count = Number.POSITIVE_INFINITY,
): VoiceScale[] {
  return voices
    .map((voice) => ({ ...voice, detectors: voice.detectors.filter((d) => d < count) }))
    .filter(({ detectors }) => detectors.length > 0)
    .map((voice) => {
      const scores = samples.map((sample) => hear(voice, sample));
      const heard = moments(scores);
      const said = moments(samples.map((sample, i) => say(voice, heard, scores[i], sample)));
      return { ...voice, heard, said };
    });
}

/**
 * How alarmed the voices are about a sample: log Σ exp of what they say, standardised. It is the
 * largest where one is louder than the others, and more than that where they agree. Voices fail in different places: a mean
 * would drown the one that hears something in those that do not.
 */
export function alarmOf(sample: Heard, voices: readonly VoiceScale[]): number {
  const loud = voices.map((voice) => {
    const value = say(voice, voice.heard, hear(voice, sample), sample);
    return (value - voice.said.mean) / voice.said.deviation;
  });
  const loudest = Math.max(...loud);
  return loudest + Math.log(loud.reduce((sum, value) => sum + Math.exp(value - loudest), 0));
}

function hear({ detectors, hears }: Voice, { raw, standardised }: Heard): number {
  const scores = Float64Array.from(detectors, (d) => (hears === 'mean' ? standardised : raw)[d]);
  const heard = hears === 'mean' ? scores : scores.sort().subarray(-LARGEST);
  return heard.reduce((sum, score) => sum + score, 0) / heard.length;
}

function say({ doubt }: Voice, { mean, deviation }: Moments, heard: number, { energy = 0 }: Heard): number {
  return (heard - mean) / deviation + doubt * energy;
}

/** What voices hear of samples, as values of a graph: `[batch, detectors]`, and `[batch, 1]`. */
export interface HeardValues {
  readonly raw: string;
  readonly standardised: string;
  readonly energy?: string;
}

/** `alarmOf` as nodes. Gives the name of the result, `[batch, 1]`. */
export function addAlarm(
  graph: GraphBuilder,
  { raw, standardised, energy }: HeardValues,
  voices: readonly VoiceScale[],
  name: string,
): string {
  const node = (opType: string, inputs: string[], word: string, attributes = {}, outputs?: string[]) =>
    graph.node(opType, inputs, { name: `${name}/${word}`, attributes, outputs });
  const ofVoices = (word: string, of: (voice: VoiceScale) => number) =>
    graph.initializer(`${name}/${word}`, {
      dtype: 'float32',
      shape: [voices.length],
      data: Float32Array.from(voices, of),
    });
  const int64s = (word: string, values: readonly number[]) => graph.int64s(`${name}/${word}`, values);

  const axis = int64s('axis', [1]);
  const heard = voices.map(({ detectors, hears }, v) => {
    const scores = node(
      'Gather',
      [hears === 'mean' ? standardised : raw, int64s(`detectors_${v}`, detectors)],
      `scores_${v}`,
      { axis: 1 },
    );
    if (hears === 'mean') return node('ReduceMean', [scores, axis], `mean_${v}`);
    const most = int64s(`most_${v}`, [Math.min(LARGEST, detectors.length)]);
    const largest = `${name}/largest_${v}`;
    node('TopK', [scores, most], `largest_${v}`, { axis: 1 }, [largest, `${largest}_at`]);
    return node('ReduceMean', [largest, axis], `mean_${v}`);
  });
  const together = heard.length > 1 ? node('Concat', heard, 'heard', { axis: 1 }) : heard[0];
  const slope = ofVoices('slope', (v) => 1 / (v.heard.deviation * v.said.deviation));
  const usual = ofVoices('usual', (v) => (v.heard.mean / v.heard.deviation + v.said.mean) / v.said.deviation);
  const said = node('Sub', [node('Mul', [together, slope], 'scaled'), usual], 'said');
  const doubt = () => ofVoices('doubt', (v) => v.doubt / v.said.deviation);
  const loud = energy ? node('Add', [said, node('Mul', [energy, doubt()], 'doubts')], 'loud') : said;
  return addLogSumExp(graph, loud, `${name}/alarm`);
}
