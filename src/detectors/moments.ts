export interface Moments {
  readonly mean: number;
  readonly deviation: number;
}

/** Mean and deviation; a deviation of 0 is taken for 1. */
export function moments(values: ArrayLike<number>): Moments {
  const count = values.length;
  let [sum, squares] = [0, 0];
  for (let i = 0; i < count; i++) sum += values[i];
  const mean = sum / count;
  for (let i = 0; i < count; i++) squares += (values[i] - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / count) || 1 };
}
