import type { RandomState } from '../common/random.ts';

/** Exponents of the bets: the nearer to 0, the more on p-values that are nearly all tiny. */
const EXPONENTS = [0.1, 0.25, 0.5, 0.75, 0.9];

/** What a stream is like up to one of its scores. */
export interface DriftState {
  /** Rank among calibration scores and those of the stream before any drift, (0, 1): uniform while nothing drifts. */
  readonly pValue: number;
  /**
   * The statistic of the test for a drift: an alarm is raised when it reaches 1. While the stream drifts, that of the test for its
   * end, which falls from 1 to 0, where the drift is over.
   */
  readonly evidence: number;
  /** Whether a drift is found by this score. */
  readonly alarm: boolean;
  /** While the stream drifts: the number of the score, from 1, with which it most likely began. */
  readonly since?: number;
}

/**
 * Tells when a stream of scores stops being like the InD scores that it is calibrated on, and when it is like them again.
 *
 * Each score is ranked among the calibration scores and the stream's earlier ones, ties broken at random: as long as all
 * are exchangeable, these p-values are independent and uniform (Vovk, Gammerman, Shafer: "Algorithmic learning in a random
 * world", 2005, chapter 7). Ranked among the calibration scores alone they would not be independent, and a long stream
 * would find out what is accidental of that set.
 *
 * A bet κ p^(κ − 1) wins on small p-values and is fair on uniform ones; there are bets on p and on 1 − p. Each one's
 * Shiryaev-Roberts statistic R ← (1 + R) · bet grows by 1 a score on average while bets are fair; the mean of all over
 * `every` raises the alarm, so that false alarms are at least `every` scores apart on average (Pollak 1985; for conformal
 * p-values Vovk et al., "Retrain or not retrain: conformal test martingales for change-point detection", 2021).
 *
 * The bet that has won most since it last had nothing (Page's CUSUM, 1954) says since when. Scores from then on are not ranked
 * among: a stream that drifts would be compared with itself. The drift is over when that bet has lost, since it had most, what
 * an alarm takes: `every` to one.
 *
 * @example
 * ```ts
 * import { DriftDetector } from 'la-ood/guard';
 * import { RandomState } from 'la-ood/methods';
 *
 * const random = new RandomState(0);
 * const calibration = Array.from({ length: 1000 }, () => random.random());
 * const detector = new DriftDetector(calibration, 10_000, random);
 * for (let image = 0; image < 100; image++)
 *   if (detector.take(2 + random.random()).alarm) console.log(`a drift, found at image ${image}`);
 * ```
 */
export class DriftDetector {
  /** Ascending; the first `#count` are used. */
  #known: Float64Array;
  #count: number;
  /** The stream's scores that are known, in their order, and the number of the last one taken. */
  readonly #stream: number[] = [];
  #taken = 0;
  readonly #random: RandomState;
  readonly #every: number;
  readonly #statistics = new Float64Array(2 * EXPONENTS.length);
  /** Of each bet the logarithm of what it has won since it last had nothing, and the number of the score before that. */
  readonly #won = new Float64Array(2 * EXPONENTS.length);
  readonly #before = new Float64Array(2 * EXPONENTS.length);
  #drift: { readonly bet: number; readonly since: number; won: number; most: number } | undefined;

  /**
   * @param calibration scores of InD images
   * @param every scores between false alarms, on average and at least
   */
  constructor(calibration: ArrayLike<number>, every: number, random: RandomState) {
    this.#known = Float64Array.from(calibration).sort();
    this.#count = this.#known.length;
    this.#random = random;
    this.#every = every;
  }

  /** Takes the next score of the stream. */
  take(score: number): DriftState {
    const finite = Number.isNaN(score) ? Number.POSITIVE_INFINITY : score;
    const below = this.#below(finite, false);
    const upTo = this.#below(finite, true);
    const ties = upTo - below + 1;
    const pValue = (this.#count - upTo + (1 - this.#random.random()) * ties) / (this.#count + 1);
    this.#taken++;
    if (this.#drift) return { pValue, ...this.#goOn(pValue) };
    this.#stream.push(finite);
    this.#insert(finite, upTo);

    let sum = 0;
    for (let bet = 0; bet < this.#statistics.length; bet++) {
      const gain = betOn(pValue, bet);
      this.#statistics[bet] = (1 + this.#statistics[bet]) * gain;
      sum += this.#statistics[bet];
      if (this.#won[bet] <= 0) {
        this.#won[bet] = 0;
        this.#before[bet] = this.#taken - 1;
      }
      this.#won[bet] += Math.log(gain);
    }
    const evidence = sum / this.#statistics.length / this.#every;
    if (evidence < 1) return { pValue, evidence, alarm: false };
    return { pValue, evidence, alarm: true, since: this.#begin() };
  }

  /** Begins a drift with the scores since when it most likely goes on. */
  #begin(): number {
    const bet = this.#won.indexOf(Math.max(...this.#won));
    const since = this.#before[bet] + 1;
    const scores = this.#taken - this.#before[bet];
    for (const score of this.#stream.splice(-scores)) this.#remove(score);
    this.#drift = { bet, since, won: 0, most: 0 };
    return since;
  }

  #goOn(pValue: number): Omit<DriftState, 'pValue'> {
    const drift = this.#drift!;
    drift.won += Math.log(betOn(pValue, drift.bet));
    drift.most = Math.max(drift.most, drift.won);
    const evidence = 1 - (drift.most - drift.won) / Math.log(this.#every);
    if (evidence > 0) return { evidence, alarm: false, since: drift.since };
    this.#drift = undefined;
    this.#statistics.fill(0);
    this.#won.fill(0);
    return { evidence: 0, alarm: false };
  }

  /** How many known scores are below a score; or at most it. */
  #below(score: number, orEqual: boolean): number {
    let [low, high] = [0, this.#count];
    while (low < high) {
      const middle = (low + high) >> 1;
      const value = this.#known[middle];
      if (value < score || (orEqual && value === score)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #insert(score: number, at: number): void {
    if (this.#count === this.#known.length) {
      const larger = new Float64Array(2 * this.#count);
      larger.set(this.#known);
      this.#known = larger;
    }
    this.#known.copyWithin(at + 1, at, this.#count);
    this.#known[at] = score;
    this.#count++;
  }

  #remove(score: number): void {
    const at = this.#below(score, false);
    this.#known.copyWithin(at, at + 1, this.#count);
    this.#count--;
  }
}

/** What a bet makes of a stake: on small p-values, or on large ones, by each exponent. */
function betOn(pValue: number, bet: number): number {
  const exponent = EXPONENTS[bet >> 1];
  const p = bet % 2 === 0 ? pValue : 1 - pValue;
  return exponent * Math.max(p, Number.MIN_VALUE) ** (exponent - 1);
}
