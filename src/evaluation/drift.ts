import type { RandomState } from '../common/random.ts';

/** Exponents of the bets: the nearer to 0, the more on p-values that are nearly all tiny. */
const EXPONENTS = [0.1, 0.25, 0.5, 0.75, 0.9];

/**
 * Tells when a stream of scores stops being like the InD scores that it is calibrated on.
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
 */
export class DriftDetector {
  /** Ascending; the first `#count` are used. */
  #known: Float64Array;
  #count: number;
  readonly #random: RandomState;
  readonly #statistics = new Float64Array(2 * EXPONENTS.length);
  readonly #every: number;

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

  /**
   * Takes the next score of the stream. After an alarm the statistics begin anew, beside the scores of before.
   *
   * @returns its p-value, in (0, 1); the evidence, which raises an alarm when it reaches 1
   */
  take(score: number): { pValue: number; evidence: number; alarm: boolean } {
    const finite = Number.isNaN(score) ? Number.POSITIVE_INFINITY : score;
    const below = this.#below(finite, false);
    const upTo = this.#below(finite, true);
    const ties = upTo - below + 1;
    const pValue = (this.#count - upTo + (1 - this.#random.random()) * ties) / (this.#count + 1);
    this.#insert(finite, upTo);

    let sum = 0;
    EXPONENTS.forEach((exponent, e) => {
      for (const [side, p] of [pValue, 1 - pValue].entries()) {
        const at = 2 * e + side;
        const bet = exponent * Math.max(p, Number.MIN_VALUE) ** (exponent - 1);
        this.#statistics[at] = (1 + this.#statistics[at]) * bet;
        sum += this.#statistics[at];
      }
    });
    const evidence = sum / this.#statistics.length / this.#every;
    const alarm = evidence >= 1;
    if (alarm) this.#statistics.fill(0);
    return { pValue, evidence, alarm };
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
}
