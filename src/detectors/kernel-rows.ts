import type { LayerSvm } from './layer-svm.ts';

/** `[2γ sv, −γ, −γ|sv|²]` for every support vector. */
export function kernelRows({ supportVectors, width, gamma }: LayerSvm): Float32Array {
  const stride = width + 2;
  const count = supportVectors.length / width;
  const rows = new Float32Array(count * stride);
  for (let i = 0; i < count; i++) {
    let norm = 0;
    for (let j = 0; j < width; j++) {
      const value = supportVectors[i * width + j];
      rows[i * stride + j] = 2 * gamma * value;
      norm += value * value;
    }
    rows[i * stride + width] = -gamma;
    rows[i * stride + width + 1] = -gamma * norm;
  }
  return rows;
}

/** The support vectors of which such rows were made. */
export function supportVectorsOf(rows: Float32Array, width: number, gamma: number): Float32Array {
  const stride = width + 2;
  const count = rows.length / stride;
  const vectors = new Float32Array(count * width);
  for (let i = 0; i < count; i++)
    for (let j = 0; j < width; j++) vectors[i * width + j] = rows[i * stride + j] / (2 * gamma);
  return vectors;
}
