import type { GraphBuilder } from '../graph/builder.ts';
import { type Moments, moments } from './moments.ts';

/** What is usual of one kind of detectors: of the mean of their standardised scores, among InD samples. */
export interface KindScale extends Moments {
  readonly kind: number;
}

/**
 * Kinds after the first have to be so many deviations more alarmed than it is. With two ears an InD sample finds it easier
 * to be loud in one of them: without a handicap the weaker kind's noise costs the first one's near-OOD samples.
 */
const HANDICAP = 0.5;

/**
 * Fits the scales of the kinds that there are.
 *
 * @param rows InD samples' standardised scores, one of each detector
 * @param kinds of each detector, from 0
 */
export function fitKindScales(rows: readonly Float64Array[], kinds: readonly number[]): KindScale[] {
  return [...new Set(kinds)]
    .sort((a, b) => a - b)
    .map((kind) => ({ kind, ...moments(rows.map((row) => meanOf(kind, row, kinds))) }));
}

/**
 * What the most alarmed kind of detectors says of a sample: the largest of the kinds' standardised means, of all but the
 * first half a deviation less. Kinds fail in different places: a mean over all of them would drown the one that hears
 * something in those that do not.
 *
 * @param scores the sample's standardised scores, one of each detector
 */
export function mostAlarmed(
  scores: Float64Array,
  kinds: readonly number[],
  scales: readonly KindScale[],
): number {
  return Math.max(
    ...scales.map(
      ({ kind, mean, deviation }) => (meanOf(kind, scores, kinds) - mean) / deviation - handicap(kind),
    ),
  );
}

/** `mostAlarmed` of a value `[batch, detectors]`, as nodes. Gives the name of the result, `[batch, 1]`. */
export function addMostAlarmed(
  graph: GraphBuilder,
  scores: string,
  kinds: readonly number[],
  scales: readonly KindScale[],
  name: string,
): string {
  const alarms = scales.map(({ kind, mean, deviation }) => {
    const word = (what: string) => (scales.length > 1 ? `${name}_${what}_${kind}` : `${name}_${what}`);
    const constant = (what: string, shape: number[], values: readonly number[]) =>
      graph.initializer(word(what), { dtype: 'float32', shape, data: Float32Array.from(values) });
    const share = 1 / (kinds.filter((other) => other === kind).length * deviation);
    const weights = kinds.map((other) => (other === kind ? share : 0));
    const sum = graph.node('MatMul', [scores, constant('weights', [kinds.length, 1], weights)], {
      name: word('mean'),
    });
    const usual = constant('usual', [], [mean / deviation + handicap(kind)]);
    return graph.node('Sub', [sum, usual], { name: scales.length > 1 ? word('alarm') : name });
  });
  return alarms.length > 1 ? graph.node('Max', alarms, { name }) : alarms[0];
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
