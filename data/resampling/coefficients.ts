import { filters } from './filters.ts';

/** What each output of one axis draws on, laid out as resampling-kernels.wat reads it. */
export interface Coefficients {
  /** The first input of each output. */
  readonly first: Int32Array;
  /** The number of pairs of taps of each output. */
  readonly pairs: Int32Array;
  /** Weights: for each pair of taps hi hi lo lo, a weight being 256 hi + lo; each output's fill `weightBytes`. */
  readonly weights: Int16Array;
  readonly weightBytes: number;
}

/** Bits after the point of a weight: 32 less 8 for the byte and 2 for sign and overshoot. */
const PRECISION = 22;

/** Images of a set mostly have few sizes; this many axes are remembered. */
const REMEMBERED = 64;
const known = new Map<string, Coefficients>();

/** The weights with which `filter` makes `outSize` pixels of `inSize`. */
export function coefficients(inSize: number, outSize: number, filter: keyof typeof filters): Coefficients {
  const key = `${filter} ${inSize} ${outSize}`;
  const found = known.get(key) ?? compute(inSize, outSize, filter);
  // The last asked for is the last to be forgotten.
  known.delete(key);
  known.set(key, found);
  if (known.size > REMEMBERED) known.delete(known.keys().next().value!);
  return found;
}

function compute(inSize: number, outSize: number, name: keyof typeof filters): Coefficients {
  const filter = filters[name];
  const scale = inSize / outSize;
  const filterScale = Math.max(scale, 1);
  const support = filter.support * filterScale;
  const exact = new Float64Array(Math.ceil(support) * 2 + 1);
  // The rows' kernel takes two pairs at a time.
  const weightBytes = 16 * Math.ceil(exact.length / 4);
  const first = new Int32Array(outSize);
  const pairs = new Int32Array(outSize);
  const weights = new Int16Array((outSize * weightBytes) / 2);
  for (let i = 0; i < outSize; i++) {
    const center = (i + 0.5) * scale;
    // C's conversion to int truncates towards zero.
    first[i] = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(inSize, Math.trunc(center + support + 0.5)) - first[i];
    pairs[i] = Math.ceil(count / 2);
    let sum = 0;
    for (let k = 0; k < count; k++) {
      // Pillow multiplies by the reciprocal: dividing would round otherwise.
      exact[k] = filter.weight((k + first[i] - center + 0.5) * (1 / filterScale));
      sum += exact[k];
    }
    for (let k = 0; k < count; k++) {
      const scaled = (sum === 0 ? exact[k] : exact[k] / sum) * (1 << PRECISION);
      const weight = Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
      const at = (i * weightBytes) / 2 + 4 * (k >> 1) + (k & 1);
      weights[at] = weight >> 8;
      weights[at + 2] = weight & 255;
    }
  }
  return { first, pairs, weights, weightBytes };
}
