import { DataError, UsageError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import { elementCount } from '../../common/tensor.ts';
import { type Comparable, openComparables } from './comparable.ts';

export interface CompareOptions {
  /** The largest difference that passes, as a share of the layer's largest absolute value; 1e-4 where absent. */
  readonly tolerance?: number;
  readonly onProgress?: OnProgress;
}

/** One layer, tensor, detector or column of two files. */
export interface ComparisonRow {
  readonly name: string;
  /** Its shape in the first file, else in the second. */
  readonly shape: readonly number[];
  /** The largest absolute value in either file. */
  readonly largest: number;
  /** The largest absolute difference; infinite where the values cannot be compared. */
  readonly difference: number;
  /** The difference as a share of the largest value. */
  readonly relative: number;
  /** Why there is nothing to compare: only one file has it, or the shapes differ. */
  readonly problem?: string;
}

export interface Comparison {
  /** What the files hold. Of detectors the scores are compared that both give to the support vectors of both. */
  readonly kind: Comparable['kind'];
  readonly tolerance: number;
  readonly rows: readonly ComparisonRow[];
  /** The row with the largest relative difference. */
  readonly worst: ComparisonRow;
  /** Whether every row is within the tolerance. */
  readonly agrees: boolean;
}

/**
 * The largest difference between two files, layer by layer: two feature files (HDF5), two files of weights (PyTorch
 * checkpoints and ONNX models, in any mix), two files of detectors, or two tables of results (CSV or JSON).
 *
 * @throws UsageError where the files are of different kinds, DataError where there is nothing in them; the error of their readers where they are damaged
 *
 * @example
 * ```ts
 * import { compareFiles } from 'la-ood/checkpoints';
 *
 * const { agrees, worst } = await compareFiles('backbone.onnx', 'resnet20.th');
 * console.log(agrees, worst.name, worst.relative);
 * ```
 */
export async function compareFiles(a: string, b: string, options: CompareOptions = {}): Promise<Comparison> {
  const { tolerance = 1e-4, onProgress } = options;
  const [first, second] = await openComparables(a, b);
  try {
    if (first.kind !== second.kind)
      throw new UsageError(`${a} and ${b}`, `hold ${first.kind} and ${second.kind}`, 'compare two of a kind');
    const names = [...new Set([...first.names, ...second.names])];
    if (names.length === 0) throw new DataError(`${a} and ${b}`, 'hold no numbers');
    const rows = names.map((name, n) => {
      const row = compareValues(name, first, second);
      onProgress?.({ task: 'compare', done: n + 1, total: names.length, unit: 'rows' });
      return row;
    });
    const worst = rows.reduce((worst, row) => (row.relative > worst.relative ? row : worst));
    return { kind: first.kind, tolerance, rows, worst, agrees: worst.relative <= tolerance };
  } finally {
    first.close();
    second.close();
  }
}

function compareValues(name: string, first: Comparable, second: Comparable): ComparisonRow {
  const [a, b] = [first, second].map((file) => (file.names.includes(name) ? file.read(name) : undefined));
  const { shape } = (a ?? b)!;
  const incomparable = (problem: string): ComparisonRow => ({
    name,
    shape,
    largest: 0,
    difference: Number.POSITIVE_INFINITY,
    relative: Number.POSITIVE_INFINITY,
    problem,
  });
  if (!a || !b) return incomparable(`only in the ${a ? 'first' : 'second'} file`);
  if (String(a.shape) !== String(b.shape)) return incomparable(`shape ${a.shape} against ${b.shape}`);
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < elementCount(shape); i++) {
    const x = a.values[i];
    const y = b.values[i];
    if (Object.is(x, y)) {
      // Equal infinities and NaNs have no difference, and no size to measure others by.
      if (Number.isFinite(x)) largest = Math.max(largest, Math.abs(x));
      continue;
    }
    const apart = Math.abs(x - y);
    if (Number.isNaN(apart)) return incomparable(`element ${i} is ${x} against ${y}`);
    largest = Math.max(largest, Math.abs(x), Math.abs(y));
    difference = Math.max(difference, apart);
  }
  return { name, shape, largest, difference, relative: difference === 0 ? 0 : difference / largest };
}
