/** The kernel ends after so many standard deviations. */
const TRUNCATE = 4;

/**
 * Blurs an array in place by a Gaussian along some of its axes, as `scipy.ndimage.gaussian_filter` does with
 * `mode='nearest'`: beyond an edge lies what lies on it.
 *
 * @param shape the sizes of the axes, the last varying fastest
 * @param sigma standard deviation, in samples
 */
export function gaussianFilter(
  values: Float64Array,
  shape: readonly number[],
  sigma: number,
  axes: readonly number[],
): void {
  const weights = kernel(sigma);
  for (const axis of axes) {
    const size = shape[axis];
    const step = shape.slice(axis + 1).reduce((product, length) => product * length, 1);
    const line = new Float64Array(size);
    for (let block = 0; block < values.length; block += size * step)
      for (let start = block; start < block + step; start++) {
        for (let i = 0; i < size; i++) line[i] = values[start + i * step];
        for (let i = 0; i < size; i++) values[start + i * step] = weighted(line, i, weights);
      }
  }
}

/** Weights of the middle and of the samples to one side of it. */
function kernel(sigma: number): Float64Array {
  const radius = Math.trunc(TRUNCATE * sigma + 0.5);
  const weights = Float64Array.from({ length: radius + 1 }, (_, x) =>
    Math.exp((-0.5 * x * x) / (sigma * sigma)),
  );
  const sum = 2 * weights.reduce((total, weight) => total + weight) - weights[0];
  return weights.map((weight) => weight / sum);
}

function weighted(line: Float64Array, middle: number, weights: Float64Array): number {
  const last = line.length - 1;
  let sum = weights[0] * line[middle];
  for (let x = 1; x < weights.length; x++)
    sum += weights[x] * (line[Math.max(0, middle - x)] + line[Math.min(last, middle + x)]);
  return sum;
}
