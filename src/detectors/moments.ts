export interface Moments {
  readonly mean: number;
  readonly deviation: number;
}

/** Mean and deviation; a deviation of 0 is taken for 1. */
export function moments(values: readonly number[]): Moments {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) || 1 };
}
