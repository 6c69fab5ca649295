import { FeatureError } from '../common/errors.ts';
import { RandomState } from '../common/random.ts';
import type { SetKind } from './method-table.ts';
import type { Scores } from './operating-points.ts';

/** A layer that has a detector. */
export interface Layer {
  /** The tap's name. */
  readonly name: string;
  /** Its place among the backbone's taps, from 0; layers without a detector leave gaps. */
  readonly index: number;
}

/** The scores of one dataset. */
export interface ScoredSet {
  readonly name: string;
  /** Number of samples N. */
  readonly count: number;
  /** For each layer N scores: minus the detector's decision value, negative for what it accepts. */
  readonly layers: readonly Scores[];
  /** N scores each from elsewhere (MSP, energy, …) by name, to be shown beside the layers'. */
  readonly baselines?: Readonly<Record<string, Scores>>;
  /** Of an OOD set: how far it is, where somebody said so. */
  readonly kind?: SetKind;
  /** Of the InD set: for each image 1 where the classifier is wrong, else 0; absent where that is not known. */
  readonly isWrong?: Uint8Array;
}

/** How samples were chosen where a set was too large. */
export interface Selection {
  readonly from: number;
  readonly kept: number;
  readonly seed: number;
}

/** @throws FeatureError where a set is empty, or its scores are too many, too few or not finite */
export function checkSet(set: ScoredSet, layers: readonly Layer[], baselines: readonly string[]): void {
  if (set.count === 0) throw new FeatureError(set.name, 'holds no images');
  if (set.layers.length !== layers.length)
    throw new FeatureError(set.name, `has scores of ${set.layers.length} layers, not of ${layers.length}`);
  set.layers.forEach((scores, l) => {
    checkScores(set, `layer ${layers[l].index} (${layers[l].name})`, scores);
  });
  for (const name of baselines) checkScores(set, name, set.baselines?.[name] ?? new Float64Array(0));
}

/** For each sample the highest of its layers' scores, and for each layer how many samples have theirs there. */
export function maximumOverLayers(set: ScoredSet): { scores: Float64Array; byLayer: Uint32Array } {
  const scores = Float64Array.from(set.layers[0]);
  const layerOf = new Uint32Array(set.count);
  for (let l = 1; l < set.layers.length; l++) {
    const layer = set.layers[l];
    for (let sample = 0; sample < set.count; sample++) {
      if (layer[sample] > scores[sample]) {
        scores[sample] = layer[sample];
        layerOf[sample] = l;
      }
    }
  }
  const byLayer = new Uint32Array(set.layers.length);
  for (const l of layerOf) byLayer[l]++;
  return { scores, byLayer };
}

/** The first `count` samples. */
export function firstOf(set: ScoredSet, count: number): ScoredSet {
  return count === set.count ? set : mapScores(set, count, (scores) => scores.subarray(0, count));
}

/** `limit` samples chosen at random, in random order, so that the first of them are a random choice too. */
export function selectOf(set: ScoredSet, limit: number, seed: number): ScoredSet {
  const chosen = new RandomState(seed).permutation(set.count).subarray(0, limit);
  return mapScores(set, limit, (scores) => Float64Array.from(chosen, (sample) => scores[sample]));
}

/** All samples of several sets, one set after the other. */
export function joined(name: string, sets: readonly ScoredSet[]): ScoredSet {
  const count = sets.reduce((sum, set) => sum + set.count, 0);
  return mapScores({ ...sets[0], name }, count, (_, pick) => {
    const all = new Float64Array(count);
    let start = 0;
    for (const set of sets) {
      all.set(pick(set), start);
      start += set.count;
    }
    return all;
  });
}

function checkScores(set: ScoredSet, what: string, scores: Scores): void {
  if (scores.length !== set.count)
    throw new FeatureError(`${set.name}: ${what}`, `${scores.length} scores for ${set.count} images`);
  const bad = scores.findIndex((score) => !Number.isFinite(score));
  if (bad >= 0) throw new FeatureError(`${set.name}: ${what}`, `the score of image ${bad} is ${scores[bad]}`);
}

function mapScores(
  set: ScoredSet,
  count: number,
  map: (scores: Scores, pick: (other: ScoredSet) => Scores) => Scores,
): ScoredSet {
  return {
    name: set.name,
    count,
    layers: set.layers.map((scores, l) => map(scores, (other) => other.layers[l])),
    baselines: Object.fromEntries(
      Object.entries(set.baselines ?? {}).map(([name, scores]) => [
        name,
        map(scores, (other) => other.baselines![name]),
      ]),
    ),
  };
}
