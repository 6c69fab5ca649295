/** Beyond so many standard deviations nothing is drawn: 1e-20 of the cases. */
const REACH = 10;

const known = new Map<number, (sample: number, share: number) => number>();

/**
 * Poisson numbers by the inversion of their distribution, for each of the 256 expectations `white × sample / 255`.
 *
 * @param white the expectation of a sample of 255
 * @returns the smallest count that at least `share` of all draws do not exceed, `share` in [0, 1)
 */
export function poissonQuantiles(white: number): (sample: number, share: number) => number {
  const found = known.get(white);
  if (found) return found;
  const distributions = Array.from({ length: 256 }, (_, sample) => distribution((white * sample) / 255));
  const quantile = (sample: number, share: number) => firstAbove(distributions[sample], share);
  known.set(white, quantile);
  return quantile;
}

/** The probability of at most 0, 1, 2, … */
function distribution(expected: number): Float64Array {
  const length = Math.ceil(expected + REACH * Math.sqrt(expected) + REACH);
  let probability = Math.exp(-expected);
  let sum = 0;
  return Float64Array.from({ length }, (_, count) => {
    if (count > 0) probability *= expected / count;
    sum += probability;
    return sum;
  });
}

function firstAbove(rising: Float64Array, share: number): number {
  let low = 0;
  let high = rising.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle] > share) high = middle;
    else low = middle + 1;
  }
  return low;
}
