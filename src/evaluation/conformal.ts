import { UsageError } from '../common/errors.ts';
import { firstAtLeast } from '../common/sorted.ts';

/** A threshold for scores, and what is known of the false alarms that it raises. */
export interface Calibration {
  /** Scores above it are called OOD. */
  readonly threshold: number;
  /** The false-alarm rate asked for: at most so many InD images are called OOD, on average over calibration sets. */
  readonly rate: number;
  /** With the confidence asked for, this calibration set's own rate is not above this. */
  readonly upperBound: number;
  /** With the same confidence, it is between these. */
  readonly interval: { readonly low: number; readonly high: number };
  readonly confidence: number;
  /** Calibration images. */
  readonly count: number;
}

/**
 * Split-conformal calibration (Vovk et al., "Algorithmic learning in a random world", 2005; Bates et al., "Testing for
 * outliers with conformal p-values", 2023): an image is called OOD where its p-value (1 + #{calibration scores ≥ its
 * own}) / (n + 1) is at most the rate. For InD images that are exchangeable with the calibration images that happens
 * with at most this probability. Given a calibration set, its own rate follows Beta(k, n + 1 − k) with
 * k = ⌊rate (n + 1)⌋ where scores have no ties.
 *
 * @param scores n scores of InD images that nothing else was fitted on
 * @param rate false-alarm rate, (0, 1)
 * @param confidence of the upper bound, and of the interval, (0, 1)
 * @throws UsageError where n images cannot support the rate: it is below 1 / (n + 1)
 *
 * @example
 * ```ts
 * import { calibrate } from 'la-ood/guard';
 *
 * const scores = Float32Array.from({ length: 999 }, Math.random);
 * const { threshold, upperBound } = calibrate(scores, 0.05);
 * console.log(`scores above ${threshold} are OOD: with 95 % confidence at most ${upperBound} of InD images`);
 * ```
 */
export function calibrate(scores: ArrayLike<number>, rate: number, confidence = 0.95): Calibration {
  const count = scores.length;
  const alarms = alarmsOf(count, rate);
  const sorted = Float64Array.from(scores).sort();
  const realised = (probability: number) => betaQuantile(probability, alarms, count + 1 - alarms);
  return {
    threshold: sorted[count - alarms],
    rate,
    upperBound: realised(confidence),
    interval: { low: realised((1 - confidence) / 2), high: realised((1 + confidence) / 2) },
    confidence,
    count,
  };
}

/**
 * How many calibration images are called OOD themselves, at most.
 *
 * @throws UsageError where n images cannot support the rate: it is below 1 / (n + 1)
 */
export function alarmsOf(count: number, rate: number): number {
  if (supportsRate(count, rate)) return alarmsAt(count, rate);
  throw new UsageError(
    `false-alarm rate ${rate}`,
    `cannot be promised from ${count} calibration images`,
    `take at least ${fewestImages(rate)} images, or a rate from ${(1 / (count + 1)).toPrecision(2)} on`,
  );
}

/** Whether so many calibration images support a rate: one of them at least may be called OOD. */
export function supportsRate(count: number, rate: number): boolean {
  return alarmsAt(count, rate) >= 1;
}

/** The fewest calibration images that support a rate. */
export function fewestImages(rate: number): number {
  return Math.ceil(1 / rate) - 1;
}

function alarmsAt(count: number, rate: number): number {
  return Math.floor(rate * (count + 1) + 1e-9);
}

/**
 * Split-conformal p-values: (1 + #{calibration scores ≥ score}) / (n + 1), in (0, 1]. Uniform, or larger, for InD images.
 *
 * @param calibration n scores, in any order
 *
 * @example
 * ```ts
 * import { conformalPValues } from 'la-ood/guard';
 *
 * console.log(conformalPValues([0.1, 0.2, 0.3], [0.25, 0.9])); // .5, .25
 * ```
 */
export function conformalPValues(calibration: ArrayLike<number>, scores: ArrayLike<number>): Float64Array {
  const sorted = Float64Array.from(calibration).sort();
  const count = sorted.length;
  return Float64Array.from(scores, (score) => (1 + count - firstAtLeast(sorted, score)) / (count + 1));
}

/** The quantile of Beta(a, b) for whole a and b, to 1e-12: P(Beta(a, b) > x) = P(Binomial(a + b − 1, x) < a). */
export function betaQuantile(probability: number, a: number, b: number): number {
  const trials = a + b - 1;
  // Of the number of ways to draw k of the trials.
  const logWays = new Float64Array(a);
  for (let k = 1; k < a; k++) logWays[k] = logWays[k - 1] + Math.log((trials + 1 - k) / k);
  const above = (x: number) => {
    const [success, failure] = [Math.log(x), Math.log1p(-x)];
    return logWays.reduce((sum, ways, k) => sum + Math.exp(ways + k * success + (trials - k) * failure), 0);
  };
  let [low, high] = [0, 1];
  while (high - low > 1e-12) {
    const middle = (low + high) / 2;
    if (1 - above(middle) < probability) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
