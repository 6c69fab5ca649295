import fc from 'fast-check';
import { RandomState } from '../../src/common/random.ts';

/** n × width features, row-major. */
export interface Samples {
  readonly features: Float64Array;
  readonly width: number;
  readonly count: number;
}

/** Independent standard normal features. */
export function gaussian(count: number, width: number, seed = 1): Samples {
  const random = new RandomState(seed);
  return { features: Float64Array.from({ length: count * width }, () => random.normal()), width, count };
}

/** What can be wrong with features, each done to normal ones. */
const degeneracies = {
  none: () => {},
  'half of the points are copies': ({ features, width, count }: Samples) => {
    for (let i = 1; i < count; i += 2) features.copyWithin(i * width, 0, width * (1 + Math.floor(i / 4)));
  },
  'all points are equal': ({ features, width, count }: Samples) => {
    for (let i = 1; i < count; i++) features.copyWithin(i * width, 0, width);
  },
  'a column is constant': ({ features, width, count }: Samples) => {
    for (let i = 0; i < count; i++) features[i * width] = 0;
  },
  'points lie on a grid': ({ features }: Samples) => {
    features.forEach((value, i) => {
      features[i] = Math.round(value);
    });
  },
  'points lie far out': ({ features, width, count }: Samples) => {
    for (let i = 0; i < count; i += 10) for (let j = 0; j < width; j++) features[i * width + j] *= 20;
  },
  'a tight cluster lies far out': ({ features, width, count }: Samples) => {
    for (let i = 0; i < count; i += 3)
      for (let j = 0; j < width; j++) features[i * width + j] = 50 + 0.02 * features[i * width + j];
  },
};

/** Samples of many kinds, degenerate ones among them. */
export function arbitrarySamples(most: number, widths = [1, 2, 5, 20]): fc.Arbitrary<Samples> {
  return fc
    .record({
      count: fc.integer({ min: 1, max: most }),
      width: fc.constantFrom(...widths),
      seed: fc.nat(1000),
      degeneracy: fc.constantFrom(...(Object.keys(degeneracies) as (keyof typeof degeneracies)[])),
    })
    .map(({ count, width, seed, degeneracy }) => {
      const samples = gaussian(count, width, seed);
      degeneracies[degeneracy](samples);
      return { ...samples, [fc.toStringMethod]: () => `${count} × ${width}, seed ${seed}, ${degeneracy}` };
    });
}

/** The rows of the given indices. */
export function rows({ features, width }: Samples, indices: ArrayLike<number>): Samples {
  const taken = new Float64Array(indices.length * width);
  for (let i = 0; i < indices.length; i++)
    taken.set(features.subarray(indices[i] * width, (indices[i] + 1) * width), i * width);
  return { features: taken, width, count: indices.length };
}

export function squaredDistance({ features, width }: Samples, a: number, b: number): number {
  let sum = 0;
  for (let j = 0; j < width; j++) sum += (features[a * width + j] - features[b * width + j]) ** 2;
  return sum;
}

/** The largest absolute difference of two arrays. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}

/** The largest |x|² of the points. */
export function largestSquaredNorm({ features, width, count }: Samples): number {
  let largest = 0;
  for (let i = 0; i < count; i++) {
    const norm = features.subarray(i * width, (i + 1) * width).reduce((sum, value) => sum + value ** 2, 0);
    largest = Math.max(largest, norm);
  }
  return largest;
}
