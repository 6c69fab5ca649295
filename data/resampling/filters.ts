/** A resampling kernel: zero where |x| ≥ `support`, x in input pixels (in output pixels when shrinking). */
export interface Filter {
  readonly support: number;
  weight(x: number): number;
}

/** Pillow's filters of these names (`src/libImaging/Resample.c`), bit for bit in double precision. */
export const filters = {
  /** The mean of the input pixels that an output pixel covers. */
  box: { support: 0.5, weight: (x) => (-0.5 < x && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  /** A sinc of one lobe, cut off by Hamming's window. */
  hamming: {
    support: 1,
    weight(signed) {
      const x = Math.abs(signed);
      if (x === 0) return 1;
      return x < 1 ? sinc(x) * (0.54 + 0.46 * Math.cos(x * Math.PI)) : 0;
    },
  },
  /** Keys' cubic convolution with a = -0.5. */
  bicubic: {
    support: 2,
    weight(signed) {
      const [a, x] = [-0.5, Math.abs(signed)];
      if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    },
  },
  /** A sinc truncated to three lobes by a wider sinc. */
  lanczos: { support: 3, weight: (x) => (-3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
} as const satisfies Readonly<Record<string, Filter>>;

/** `nearest` takes one pixel, and mixes none. */
export type FilterName = keyof typeof filters | 'nearest';
export const filterNames = [...Object.keys(filters), 'nearest'] as FilterName[];

function sinc(x: number): number {
  if (x === 0) return 1;
  const angle = x * Math.PI;
  return Math.sin(angle) / angle;
}
