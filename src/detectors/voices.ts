import type { GraphBuilder } from '../graph/builder.ts';
import { addLogSumExp } from './log-sum-exp.ts';
import { type Moments, moments } from './moments.ts';

/** What a kind of detectors says of InD samples: the mean of their standardised scores. */
export interface VoiceScale extends Moments {
  readonly kind: number;
}

/**
 * What is taken off all voices but the first kind's, in deviations. An InD sample is loud in one of several voices more
 * often than in one: without a handicap, the others' noise would cost near-OOD samples, which the first kind hears best.
 */
const HANDICAP = 0.6;

/**
 * Fits the scales of the voices of all kinds that there are.
 *
 * @param samples InD samples' standardised scores, one of each detector
 * @param kinds of each detector, from 0
 */
export function fitVoices(samples: readonly Float64Array[], kinds: readonly number[]): VoiceScale[] {
  return [...new Set(kinds)]
    .sort((a, b) => a - b)
    .map((kind) => ({ kind, ...moments(samples.map((scores) => meanOf(kind, scores, kinds))) }));
}

/**
 * How alarmed the voices are about a sample: log Σ exp of what they say, standardised, less the handicap. It is the
 * largest where one is louder than the others, and more than that where they agree. Kinds of detectors fail in different
 * places: a mean would drown the one that hears something in those that do not.
 *
 * @param scores the sample's standardised scores, one of each detector
 */
export function alarmOf(
  scores: Float64Array,
  kinds: readonly number[],
  voices: readonly VoiceScale[],
): number {
  const said = voices.map(
    ({ kind, mean, deviation }) => (meanOf(kind, scores, kinds) - mean) / deviation - handicap(kind),
  );
  const loudest = Math.max(...said);
  return loudest + Math.log(said.reduce((sum, value) => sum + Math.exp(value - loudest), 0));
}

/** `alarmOf` of a value `[batch, detectors]`, as nodes. Gives the name of the result, `[batch, 1]`. */
export function addAlarm(
  graph: GraphBuilder,
  scores: string,
  kinds: readonly number[],
  voices: readonly VoiceScale[],
  name: string,
): string {
  const node = (opType: string, inputs: string[], word: string, attributes = {}) =>
    graph.node(opType, inputs, { name: `${name}/${word}`, attributes });
  const floats = (word: string, shape: number[], values: readonly number[]) =>
    graph.initializer(`${name}/${word}`, { dtype: 'float32', shape, data: Float32Array.from(values) });

  // A column a voice.
  const weights = kinds.flatMap((own) =>
    voices.map(({ kind, deviation }) =>
      own === kind ? 1 / (deviation * kinds.filter((other) => other === kind).length) : 0,
    ),
  );
  const usual = voices.map(({ kind, mean, deviation }) => mean / deviation + handicap(kind));
  const means = node('MatMul', [scores, floats('weights', [kinds.length, voices.length], weights)], 'means');
  const said = node('Sub', [means, floats('usual', [voices.length], usual)], 'said');
  if (voices.length === 1) return said;
  return addLogSumExp(graph, said, `${name}/alarm`);
}

const handicap = (kind: number) => (kind > 0 ? HANDICAP : 0);

function meanOf(kind: number, scores: Float64Array, kinds: readonly number[]): number {
  let sum = 0;
  let count = 0;
  for (let d = 0; d < scores.length; d++)
    if (kinds[d] === kind) {
      sum += scores[d];
      count++;
    }
  return sum / count;
}
