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
  const inverse = new Float64Array(size * size);
  for (let column = 0; column < size; column++)
    for (let i = column; i < size; i++) {
      let rest = i === column ? 1 : 0;
      for (let k = column; k < i; k++) rest -= factor[i * size + k] * inverse[k * size + column];
      inverse[i * size + column] = rest / factor[i * size + i];
    }
  return inverse;
}
