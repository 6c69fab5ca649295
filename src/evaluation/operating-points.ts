/** Scores of one set of samples, higher = more OOD. */
export type Scores = Float32Array | Float64Array;

/**
 * All that a ranking metric needs to know of two sets of scores: for each threshold, from above the highest score
 * down through the distinct scores, how many negatives and positives reach it. Equal scores share one threshold, as
 * in scikit-learn. The first point is (0, 0), the last the number of all negatives and of all positives.
 */
export interface OperatingPoints {
  readonly falsePositives: Float64Array;
  readonly truePositives: Float64Array;
}

/**
 * Counts the scores at or above each distinct score; OOD is the positive class.
 *
 * @throws RangeError where a set is empty or a score is NaN or infinite
 */
export function operatingPoints(indScores: Scores, oodScores: Scores): OperatingPoints {
  const ind = sorted(indScores, 'InD');
  const ood = sorted(oodScores, 'OOD');
  const falsePositives = new Float64Array(ind.length + ood.length + 1);
  const truePositives = new Float64Array(ind.length + ood.length + 1);
  let i = ind.length;
  let o = ood.length;
  let points = 1;
  while (i > 0 || o > 0) {
    const threshold = o === 0 || (i > 0 && ind[i - 1] > ood[o - 1]) ? ind[i - 1] : ood[o - 1];
    while (i > 0 && ind[i - 1] === threshold) i--;
    while (o > 0 && ood[o - 1] === threshold) o--;
    falsePositives[points] = ind.length - i;
    truePositives[points] = ood.length - o;
    points++;
  }
  return {
    falsePositives: falsePositives.subarray(0, points),
    truePositives: truePositives.subarray(0, points),
  };
}

/** The points with labels and scores negated (InD is the positive class): the same ranking, read from its other end. */
export function indPositive({ falsePositives, truePositives }: OperatingPoints): OperatingPoints {
  return { falsePositives: fromBelow(truePositives), truePositives: fromBelow(falsePositives) };
}

/** An ascending copy: typed arrays sort as numbers, many times faster than with a comparison function. */
function sorted(scores: Scores, name: string): Scores {
  if (scores.length === 0) throw new RangeError(`no ${name} scores: a metric needs at least one of each set`);
  const ascending = scores.slice().sort();
  // NaN sorts to the end, so that the two ends show any score that is not finite.
  if (!Number.isFinite(ascending[0]) || !Number.isFinite(ascending[ascending.length - 1]))
    throw new RangeError(`a score of the ${name} set is not a finite number`);
  return ascending;
}

function fromBelow(reached: Float64Array): Float64Array {
  const last = reached.length - 1;
  return reached.map((_, point) => reached[last] - reached[last - point]);
}
