import { RandomState } from '../../src/common/random.ts';
import { quantile } from '../../src/evaluation/bootstrap.ts';
import type { MethodScores, SetKind } from '../../src/evaluation/method-table.ts';
import type { Scores } from '../../src/evaluation/operating-points.ts';

/** What methods say of a run's sets. */
export interface RunScores {
  readonly name: string;
  readonly sets: readonly { readonly name: string; readonly kind?: SetKind }[];
  readonly methods: readonly MethodScores[];
}

/** A number, and where the middle 95 % of its bootstrap values lie. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** A method's regret over sets: the best panel method's AUROC on a set less its own, in points. */
export interface Regret {
  readonly mean: Estimate;
  readonly largest: Estimate;
  /** Run and set of the largest. */
  readonly where: string;
}

/**
 * Each method's regret over the sets of some runs, by the method's name; only methods that every run has.
 *
 * Intervals: images are drawn anew, with replacement, the same ones for all methods, and a run's InD images the same for all its
 * sets. They cover the choice of images, not that of sets or networks.
 *
 * @param outsiders methods that the best is not chosen from: their regret may be negative
 */
export function regrets(
  runs: readonly RunScores[],
  isWanted: (set: RunScores['sets'][number]) => boolean,
  outsiders: readonly string[],
  { resamples, seed }: { readonly resamples: number; readonly seed: number },
): Map<string, Regret> {
  const names = runs[0].methods
    .map(({ name }) => name)
    .filter((name) => runs.every(({ methods }) => methods.some((method) => method.name === name)));
  const panel = names.filter((name) => !outsiders.includes(name));
  const random = new RandomState(seed);
  const labels: string[] = [];
  /** For each set a row for each method: its AUROC, and that of each resample. */
  const aurocs: Float64Array[][] = [];
  for (const { name, sets, methods } of runs) {
    const own = names.map((wanted) => methods.find((method) => method.name === wanted)!);
    const ind = new Map<number, Uint16Array[]>();
    const weightsOf = (count: number) => {
      if (!ind.has(count)) ind.set(count, drawings(count, resamples, random));
      return ind.get(count)!;
    };
    for (const [s, set] of sets.entries()) {
      if (!isWanted(set)) continue;
      labels.push(`${name}/${set.name}`);
      const drawn = drawings(own[0].sets[s].length, resamples, random);
      aurocs.push(
        own.map((method) => weightedAurocs(method.ind, method.sets[s], weightsOf(method.ind.length), drawn)),
      );
    }
  }
  return new Map(
    labels.length === 0
      ? []
      : names.map((name, m) => {
          /** Regret on each set, at the sample itself (0) or a resample. */
          const at = (draw: number) =>
            aurocs.map((rows) => {
              const best = Math.max(...panel.map((method) => rows[names.indexOf(method)][draw]));
              return 100 * (best - rows[m][draw]);
            });
          const draws = Array.from({ length: resamples + 1 }, (_, draw) => at(draw));
          const mean = draws.map((each) => each.reduce((sum, value) => sum + value, 0) / each.length);
          const largest = draws.map((each) => Math.max(...each));
          return [
            name,
            {
              mean: estimate(mean),
              largest: estimate(largest),
              where: labels[draws[0].indexOf(largest[0])],
            },
          ];
        }),
  );
}

/** How often each image is drawn: once each, and then for each resample. */
function drawings(count: number, resamples: number, random: RandomState): Uint16Array[] {
  const draws = Array.from({ length: resamples }, () => {
    const times = new Uint16Array(count);
    for (let i = 0; i < count; i++) times[random.integer(count - 1)]++;
    return times;
  });
  return [new Uint16Array(count).fill(1), ...draws];
}

/** The AUROC with each image counted as often as it was drawn, for each drawing; ties count half. */
export function weightedAurocs(
  ind: Scores,
  ood: Scores,
  indTimes: readonly Uint16Array[],
  oodTimes: readonly Uint16Array[],
): Float64Array {
  const scores = Float64Array.from([...ind, ...ood]);
  const order = Uint32Array.from(scores.keys()).sort((a, b) => scores[a] - scores[b]);
  return Float64Array.from(indTimes, (known, draw) => {
    const other = oodTimes[draw];
    let below = 0;
    let doubled = 0;
    for (let start = 0; start < order.length; ) {
      let [end, i, o] = [start, 0, 0];
      for (; end < order.length && scores[order[end]] === scores[order[start]]; end++) {
        const at = order[end];
        if (at < ind.length) i += known[at];
        else o += other[at - ind.length];
      }
      doubled += o * (2 * below + i);
      below += i;
      start = end;
    }
    return doubled / (2 * ind.length * ood.length);
  });
}

/** @param values the sample's, and then those of the resamples */
function estimate([value, ...resampled]: readonly number[]): Estimate {
  const ascending = Float64Array.from(resampled).sort();
  return { value, low: quantile(ascending, 0.025), high: quantile(ascending, 0.975) };
}
