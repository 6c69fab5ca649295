import { Matrices } from '../algebra/matrices.ts';
import { type Precision, ScatterSum } from '../algebra/scatter.ts';
import { addNormalized, normalize, unitScale } from './operators.ts';
import { type Rows, requireFinite, type Training } from './training.ts';

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
  readonly normalized: boolean;
}

/** The means of head inputs, of all and by class. */
export function headMeans(training: Training, options: HeadOptions): HeadMeans {
  return training.shared(`means ${options.normalized}`, () => {
    const { width, classes, labels, count } = training;
    const { sums, counts } = groupSums(training, options, labels, classes);
    const mean = new Float64Array(width);
    sums.forEach((sum, at) => {
      mean[at % width] += sum / count;
    });
    const classMeans = sums.map((sum, at) => sum / Math.max(1, counts[Math.floor(at / width)]));
    return { count, width, mean, classMeans, classCounts: counts };
  });
}

/** Rows that are added in one pass: the sum is read and written once for them. */
const TOGETHER = 4;

/**
 * The sums of head inputs by group, in float64: groups × width.
 *
 * @param groupOf the group of each image; those of none, `groups` or more, are left out
 * @throws DetectorError where a number of a group is not finite, which names the image
 */
export function groupSums(
  training: Training,
  { normalized }: HeadOptions,
  groupOf: Uint32Array,
  groups: number,
): { sums: Float64Array; counts: Float64Array } {
  const { width } = training;
  const sums = new Float64Array(groups * width);
  const counts = new Float64Array(groups);
  // The first values of rows that wait to be added, by group, and what they are multiplied by.
  const waiting = Array.from({ length: groups }, () => ({ rows: [] as number[], scales: [] as number[] }));
  for (const { start, count, values } of training.uncheckedHeadInputs()) {
    for (let row = 0; row < count; row++) {
      const group = groupOf[start + row];
      if (group >= groups) continue;
      counts[group]++;
      const { rows, scales } = waiting[group];
      scales.push(normalized ? unitScale(values, row * width, width) : 1);
      if (rows.push(row * width) < TOGETHER) continue;
      const [a, b, c, d] = rows;
      const [ofA, ofB, ofC, ofD] = scales;
      const to = group * width;
      for (let j = 0; j < width; j++)
        sums[to + j] +=
          ofA * values[a + j] + ofB * values[b + j] + (ofC * values[c + j] + ofD * values[d + j]);
      rows.length = 0;
      scales.length = 0;
    }
    waiting.forEach(({ rows, scales }, group) => {
      const to = group * width;
      rows.forEach((from, at) => {
        for (let j = 0; j < width; j++) sums[to + j] += scales[at] * values[from + j];
      });
      rows.length = 0;
      scales.length = 0;
    });
  }
  // In float64 no sum of finite float32 numbers overflows: it tells of one that is not finite.
  if (!sums.every(Number.isFinite))
    for (const block of training.uncheckedHeadInputs()) requireFinite(block, width);
  return { sums, counts };
}

/** Σ (x − m)(x − m)ᵀ of head inputs x, m the mean of their class: width × width. */
export function scatterWithin(
  training: Training,
  options: HeadOptions,
  precision: Precision,
): Promise<Float64Array> {
  return training.shared(`scatter within ${options.normalized} ${precision}`, async () => {
    const { labels, width } = training;
    const { classMeans } = headMeans(training, options);
    const prepare = options.normalized ? addNormalized : undefined;
    const scatter = await ScatterSum.open(width, classMeans, { precision, prepare });
    // The means have told that they are finite.
    for (const { start, count, values } of training.uncheckedHeadInputs())
      await scatter.add(values, labels.subarray(start, start + count));
    return scatter.end();
  });
}

/** Σ over classes of count · (class mean − mean)(class mean − mean)ᵀ: what of the scatter lies between classes. */
export function scatterBetween(training: Training, options: HeadOptions): Promise<Float64Array> {
  return training.shared(`scatter between ${options.normalized}`, () => {
    const { width, mean, classMeans, classCounts } = headMeans(training, options);
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
