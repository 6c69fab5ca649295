import { Matrices } from '../algebra/matrices.ts';
import { normalise } from './operators.ts';
import type { Training } from './training.ts';

/** Means of the training images' head inputs, in float64. */
export interface HeadMeans {
  readonly count: number;
  readonly width: number;
  readonly mean: Float64Array;
  /** Classes × width; zeros where a class has no image. */
  readonly classMeans: Float64Array;
  readonly classCounts: Float64Array;
}

export interface HeadOptions {
  /** Whether head inputs are brought to length 1 before. */
  readonly normalised: boolean;
}

/** The means of head inputs, of all and by class. */
export function headMeans(training: Training, { normalised }: HeadOptions): HeadMeans {
  return training.shared(`means ${normalised}`, () => {
    const { width, classes, labels, count } = training;
    const sums = new Float64Array(classes * width);
    const classCounts = new Float64Array(classes);
    for (const block of training.headInputs()) {
      const values = normalised ? normalise(block.values, width) : block.values;
      for (let row = 0; row < block.count; row++) {
        const label = labels[block.start + row];
        classCounts[label]++;
        const [from, to] = [row * width, label * width];
        for (let j = 0; j < width; j++) sums[to + j] += values[from + j];
      }
    }
    const mean = new Float64Array(width);
    sums.forEach((sum, at) => {
      mean[at % width] += sum / count;
    });
    const classMeans = sums.map((sum, at) => sum / Math.max(1, classCounts[Math.floor(at / width)]));
    return { count, width, mean, classMeans, classCounts };
  });
}

/**
 * Σ (x − m)(x − m)ᵀ of head inputs x, m their mean: width × width, in float64. Subtracting it first loses nothing where it is
 * large against the spread.
 */
export function headScatter(training: Training, options: HeadOptions): Promise<Float64Array> {
  const { normalised } = options;
  return training.shared(`scatter ${normalised}`, async () => {
    const { width, mean } = headMeans(training, options);
    const scatter = new Float64Array(width * width);
    for (const block of training.headInputs()) {
      const values = normalised ? normalise(block.values, width) : block.values;
      const centred = new Float64Array(values.length);
      for (let row = 0; row < values.length; row += width)
        for (let j = 0; j < width; j++) centred[row + j] = values[row + j] - mean[j];
      const products = await matrices(training).scatter(centred, width);
      for (let i = 0; i < scatter.length; i++) scatter[i] += products[i];
    }
    return scatter;
  });
}

/** Products of matrices, for all methods. */
export function matrices(training: Training): Matrices {
  return training.shared('matrices', () => new Matrices());
}

/** Σ over classes of count · (class mean − mean)(class mean − mean)ᵀ: what of the scatter lies between classes. */
export function scatterBetween(training: Training, options: HeadOptions): Promise<Float64Array> {
  const { width, mean, classMeans, classCounts } = headMeans(training, options);
  const rows = Float64Array.from(
    classMeans,
    (value, at) => Math.sqrt(classCounts[Math.floor(at / width)]) * (value - mean[at % width]),
  );
  for (let k = 0; k < classCounts.length; k++)
    if (classCounts[k] === 0) rows.fill(0, k * width, (k + 1) * width);
  return matrices(training).scatter(rows, width);
}
