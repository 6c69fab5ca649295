import { DetectorError } from '../../src/common/errors.ts';
import { NumpyArray, toFloat64 } from '../../src/common/pickle/numpy-array.ts';
import { type PickleValue, typeName } from '../../src/common/pickle/values.ts';
import { printable } from '../../src/common/printable.ts';
import type { SklearnEstimator } from './joblib-pickle.ts';

const FIT_AGAIN = 'fit it again and dump it';

/** The attributes of an estimator of a file, checked one by one; every error names the file and the attribute. */
export class Attributes {
  readonly #path: string;
  readonly #values: ReadonlyMap<PickleValue, PickleValue>;

  /**
   * @param path the file it was read from
   * @param name the class that it must have
   * @throws DetectorError where it is of another
   */
  constructor(path: string, { name, attributes }: SklearnEstimator, wanted: string) {
    if (name !== wanted)
      throw new DetectorError(path, `holds a ${name}, not a ${wanted}`, `name a ${wanted}`);
    this.#path = path;
    this.#values = attributes;
  }

  /** The first of these attributes that is there; several where versions of scikit-learn differ. */
  find(...names: string[]): { name: string; value: PickleValue } | undefined {
    const name = names.find((candidate) => (this.#values.get(candidate) ?? null) !== null);
    return name === undefined ? undefined : { name, value: this.#values.get(name)! };
  }

  /** A str, as it may appear in a message. */
  text(name: string): string {
    const { value } = this.#require([name]);
    return typeof value === 'string'
      ? printable(value)
      : this.fail(name, `is ${this.#describe(value)}, not a str`, FIT_AGAIN);
  }

  /** A finite number, of Python or of NumPy. */
  number(...names: string[]): number {
    const { name, value } = this.#require(names);
    if (typeof value !== 'number' || !Number.isFinite(value))
      return this.fail(name, `is ${this.#describe(value)}, not a finite number`, FIT_AGAIN);
    return value;
  }

  /**
   * A float array with elements that are finite in float32.
   *
   * @param axes how many it must have
   * @returns its elements row by row
   */
  array(axes: number, ...names: string[]): { name: string; shape: readonly number[]; values: Float64Array } {
    const { name, value } = this.#require(names);
    const contents = value instanceof NumpyArray ? value.contents : undefined;
    if (!contents) return this.fail(name, `is ${this.#describe(value)}, not an array`, FIT_AGAIN);
    const { shape, dtype } = contents;
    if (shape.length !== axes)
      return this.fail(name, `has the shape (${shape.slice(0, 8)}) instead of ${axes} axes`, FIT_AGAIN);
    const values = toFloat64(contents);
    if (!values)
      return this.fail(name, `is of dtype ${printable(dtype.code)} instead of float64 or float32`, FIT_AGAIN);
    const bad = values.findIndex((element) => !Number.isFinite(Math.fround(element)));
    if (bad >= 0) return this.fail(name, `has the element ${values[bad]} at ${bad}`, FIT_AGAIN);
    return { name, shape, values };
  }

  fail(name: string, problem: string, remedy?: string): never {
    throw new DetectorError(`${this.#path}: ${name}`, problem, remedy);
  }

  #require(names: string[]): { name: string; value: PickleValue } {
    return this.find(...names) ?? this.fail(names[0], 'is missing: it is not fitted', 'dump it after fit');
  }

  #describe(value: PickleValue): string {
    if (typeof value === 'number') return String(value);
    return typeof value === 'string' ? JSON.stringify(printable(value)) : printable(typeName(value));
  }
}
