import type { GraphBuilder } from '../graph/builder.ts';
import { type Moments, moments } from './moments.ts';

/** What a kind of detectors has to say: the mean of its standardised scores, or the largest of them. */
interface Voice {
  readonly kind: number;
  readonly says: 'mean' | 'largest';
}

/** A voice, and what it says of InD samples. */
export interface VoiceScale extends Voice, Moments {}

/**
 * What is taken off a voice, in deviations. The first kind decides where all hear about the same. An InD sample is loud in
 * one of several voices more often than in one: without a handicap, the others' noise would cost near-OOD samples.
 */
function handicap({ kind, says }: Voice): number {
  if (kind === 0) return 0;
  return says === 'mean' ? 0.5 : 1;
}

/**
 * Fits the scales of the voices of all kinds that there are: of the first its mean, of the others the largest score too.
 *
 * @param rows InD samples' standardised scores, one of each detector
 * @param kinds of each detector, from 0
 */
export function fitVoices(rows: readonly Float64Array[], kinds: readonly number[]): VoiceScale[] {
  const voices = [...new Set(kinds)]
    .sort((a, b) => a - b)
    .flatMap((kind): Voice[] =>
      kind === 0
        ? [{ kind, says: 'mean' }]
        : [
            { kind, says: 'mean' },
            { kind, says: 'largest' },
          ],
    );
  return voices.map((voice) => ({ ...voice, ...moments(rows.map((row) => heard(voice, row, kinds))) }));
}

/**
 * What the most alarmed voice says of a sample, standardised, less its handicap. Kinds of detectors fail in different
 * places: a mean over all of them would drown the one that hears something in those that do not.
 *
 * @param scores the sample's standardised scores, one of each detector
 */
export function mostAlarmed(
  scores: Float64Array,
  kinds: readonly number[],
  voices: readonly VoiceScale[],
): number {
  return Math.max(
    ...voices.map((voice) => (heard(voice, scores, kinds) - voice.mean) / voice.deviation - handicap(voice)),
  );
}

/** `mostAlarmed` of a value `[batch, detectors]`, as nodes. Gives the name of the result, `[batch, 1]`. */
export function addMostAlarmed(
  graph: GraphBuilder,
  scores: string,
  kinds: readonly number[],
  voices: readonly VoiceScale[],
  name: string,
): string {
  const alarms = voices.map((voice) => {
    const word = (what: string) => `${name}/${what}_of_kind_${voice.kind}`;
    const scalar = (what: string, value: number) =>
      graph.initializer(word(what), { dtype: 'float32', shape: [], data: Float32Array.of(value) });
    const { says, mean, deviation } = voice;
    const own = kinds.flatMap((kind, d) => (kind === voice.kind ? [d] : []));
    let said: string;
    if (says === 'mean') {
      const data = new Float32Array(kinds.length);
      for (const d of own) data[d] = 1 / own.length;
      const weights = graph.initializer(word('weights'), {
        dtype: 'float32',
        shape: [kinds.length, 1],
        data,
      });
      said = graph.node('MatMul', [scores, weights], { name: word(says) });
    } else {
      const places = graph.int64s(word('places'), own);
      const owns = graph.node('Gather', [scores, places], { name: word('scores'), attributes: { axis: 1 } });
      const axis = graph.int64s(word('axis'), [1]);
      said = graph.node('ReduceMax', [owns, axis], { name: word(says), attributes: { keepdims: 1 } });
    }
    const usual = scalar(`usual_${says}`, mean + handicap(voice) * deviation);
    const above = graph.node('Sub', [said, usual], { name: word(`${says}_above`) });
    return graph.node('Div', [above, scalar(`${says}_deviation`, deviation)], {
      name: word(`${says}_alarm`),
    });
  });
  return graph.node('Max', alarms, { name });
}

function heard({ kind, says }: Voice, scores: Float64Array, kinds: readonly number[]): number {
  const own = scores.filter((_, d) => kinds[d] === kind);
  return says === 'mean' ? own.reduce((sum, score) => sum + score, 0) / own.length : Math.max(...own);
}
