import { Matrices } from './matrices.ts';
import { normalise } from './operators.ts';
import type { Training } from './training.ts';

/** First and second moments of the training images' head inputs, in float64. */
export interface HeadMoments {
  readonly count: number;
  readonly width: number;
  readonly mean: Float64Array;
  /** Σ (x − mean)(x − mean)ᵀ: width × width. */
  readonly scatter: Float64Array;
  /** Classes × width; zeros where a class has no image. */
  readonly classMeans: Float64Array;
  readonly classCounts: Float64Array;
}

/**
 * The moments of head inputs, or of head inputs of length 1, in one pass. They are taken about the mean of the first block:
 * nothing is lost where the mean is large against the spread.
 */
export function headMoments(training: Training, options: { normalised: boolean }): Promise<HeadMoments> {
  const { normalised } = options;
  return training.shared(`moments ${normalised}`, () => computeMoments(training, normalised));
}

/** Products of matrices, for all methods. */
export function matrices(training: Training): Matrices {
  return training.shared('matrices', () => new Matrices());
}

/** Σ over classes of count · (class mean − mean)(class mean − mean)ᵀ: what of the scatter lies between classes. */
export function scatterBetween(training: Training, moments: HeadMoments): Promise<Float64Array> {
  const { width, mean, classMeans, classCounts } = moments;
  const rows = Float64Array.from(
    classMeans,
    (value, at) => Math.sqrt(classCounts[Math.floor(at / width)]) * (value - mean[at % width]),
  );
  for (let k = 0; k < classCounts.length; k++)
    if (classCounts[k] === 0) rows.fill(0, k * width, (k + 1) * width);
  return matrices(training).scatter(rows, width);
}

async function computeMoments(training: Training, normalised: boolean): Promise<HeadMoments> {
  const { width, classes, labels, count } = training;
  let origin: Float64Array | undefined;
  const sums = new Float64Array(classes * width);
  const classCounts = new Float64Array(classes);
  const scatter = new Float64Array(width * width);
  for (const block of training.headInputs()) {
    const values = normalised ? normalise(block.values, width) : block.values;
    origin ??= meanOf(values, width);
    const centred = new Float64Array(values.length);
    for (let row = 0; row < block.count; row++) {
      const label = labels[block.start + row];
      classCounts[label]++;
      for (let j = 0; j < width; j++) {
        const value = values[row * width + j] - origin[j];
        centred[row * width + j] = value;
        sums[label * width + j] += value;
      }
    }
    const products = await matrices(training).scatter(centred, width);
    for (let i = 0; i < scatter.length; i++) scatter[i] += products[i];
  }

  const shift = new Float64Array(width);
  sums.forEach((sum, at) => {
    shift[at % width] += sum / count;
  });
  for (let i = 0; i < width; i++)
    for (let j = 0; j < width; j++) scatter[i * width + j] -= count * shift[i] * shift[j];
  const mean = shift.map((value, j) => value + origin![j]);
  const classMeans = sums.map((sum, at) => {
    const images = classCounts[Math.floor(at / width)];
    return images ? sum / images + origin![at % width] : 0;
  });
  return { count, width, mean, scatter, classMeans, classCounts };
}

function meanOf(rows: Float32Array, width: number): Float64Array {
  const mean = new Float64Array(width);
  const count = rows.length / width;
  for (let at = 0; at < rows.length; at += width)
    for (let j = 0; j < width; j++) mean[j] += rows[at + j] / count;
  return mean;
}
