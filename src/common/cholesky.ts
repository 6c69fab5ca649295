/**
 * The inverse L⁻¹ of the Cholesky factor of a symmetric positive definite matrix A = L Lᵀ, so that xᵀA⁻¹x = |L⁻¹x|².
 *
 * @param matrix size × size, row-major; only its lower triangle is read
 * @returns L⁻¹, lower triangular, row-major; undefined where the matrix is not positive definite
 */
export function inverseCholesky(matrix: Float64Array, size: number): Float64Array | undefined {
  const factor = new Float64Array(size * size);
  for (let i = 0; i < size; i++)
    for (let j = 0; j <= i; j++) {
      let rest = matrix[i * size + j];
      for (let k = 0; k < j; k++) rest -= factor[i * size + k] * factor[j * size + k];
      if (i === j && !(rest > 0)) return undefined;
      factor[i * size + j] = i === j ? Math.sqrt(rest) : rest / factor[j * size + j];
    }
  // Row by row, so that both factors are read as they lie in memory.
  const inverse = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    const row = inverse.subarray(i * size, i * size + i + 1);
    for (let k = 0; k < i; k++) {
      const scale = factor[i * size + k];
      if (scale === 0) continue;
      const other = inverse.subarray(k * size, k * size + k + 1);
      for (let j = 0; j <= k; j++) row[j] -= scale * other[j];
    }
    row[i] = 1;
    for (let j = 0; j <= i; j++) row[j] /= factor[i * size + i];
  }
  return inverse;
}
