import { Matrices } from '../algebra/matrices.ts';
import { type Precision, ScatterSum } from '../algebra/scatter.ts';
import { groupSums, type HeadOptions } from './group-sums.ts';
import { addNormalized, normalize } from './operators.ts';
import type { Rows, Training } from './training.ts';

/** Means of the training images' head inputs, in float64. */
export interface HeadMeans {
  readonly count: number;
  readonly width: number;
  readonly mean: Float64Array;
  /** Classes × width; zeros where a class has no image. */
  readonly classMeans: Float64Array;
  readonly classCounts: Float64Array;
}

/** The means of head inputs, of all and by class. */
export function headMeans(training: Training, options: HeadOptions): Promise<HeadMeans> {
  return training.shared(`means ${options.normalized}`, async () => {
    const { width, classes, labels, count } = training;
    const { sums, counts } = await groupSums(training, options, labels, classes);
    const mean = new Float64Array(width);
    sums.forEach((sum, at) => {
      mean[at % width] += sum / count;
    });
    const classMeans = sums.map((sum, at) => sum / Math.max(1, counts[Math.floor(at / width)]));
    return { count, width, mean, classMeans, classCounts: counts };
  });
}

/** Σ (x − m)(x − m)ᵀ of head inputs x, m the mean of their class: width × width. */
export function scatterWithin(
  training: Training,
  options: HeadOptions,
  precision: Precision,
): Promise<Float64Array> {
  return training.shared(`scatter within ${options.normalized} ${precision}`, async () => {
    const { labels, width } = training;
    const { classMeans } = await headMeans(training, options);
    const prepare = options.normalized ? addNormalized : undefined;
    const scatter = await ScatterSum.open(width, classMeans, { precision, prepare });
    // They are finite: their means are.
    for (const { start, count, values } of training.uncheckedHeadInputs())
      await scatter.add(values, labels.subarray(start, start + count));
    return scatter.end();
  });
}

/** Σ over classes of count · (class mean − mean)(class mean − mean)ᵀ: what of the scatter lies between classes. */
export function scatterBetween(training: Training, options: HeadOptions): Promise<Float64Array> {
  return training.shared(`scatter between ${options.normalized}`, async () => {
    const { width, mean, classMeans, classCounts } = await headMeans(training, options);
    const rows = classMeans.map(
      (value, at) => Math.sqrt(classCounts[Math.floor(at / width)]) * (value - mean[at % width]),
    );
    return matrices(training).scatter(rows, width);
  });
}

/** Products of matrices, for all methods. */
export function matrices(training: Training): Matrices {
  return training.shared('matrices', () => new Matrices());
}

/** The head inputs, block by block, of length 1 where that is wanted; a block lasts until the next. */
export function* headRows(training: Training, { normalized }: HeadOptions): Generator<Rows> {
  let buffer = new Float32Array();
  for (const block of training.headInputs()) {
    if (!normalized) yield block;
    else {
      const { length } = block.values;
      if (buffer.length < length) buffer = new Float32Array(length);
      yield { ...block, values: normalize(block.values, training.width, buffer.subarray(0, length)) };
    }
  }
}
