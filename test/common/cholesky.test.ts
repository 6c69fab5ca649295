import { expect } from 'chai';
import fc from 'fast-check';
import { inverseCholesky } from '../../src/common/cholesky.ts';

describe('inverseCholesky', () => {
  it('gives a lower triangle L⁻¹ with L⁻¹ A L⁻ᵀ = I', () => {
    const square = fc.integer({ min: 1, max: 8 }).chain((width) =>
      fc.tuple(
        fc.constant(width),
        fc.array(fc.double({ min: -1, max: 1, noNaN: true }), {
          minLength: width * width,
          maxLength: width * width,
        }),
      ),
    );
    fc.assert(
      fc.property(square, ([width, factor]) => {
        const at = (m: ArrayLike<number>, i: number, j: number) => m[i * width + j];
        const sum = (term: (k: number) => number) => {
          let total = 0;
          for (let k = 0; k < width; k++) total += term(k);
          return total;
        };
        const matrix = new Float64Array(width * width);
        for (let i = 0; i < width; i++)
          for (let j = 0; j < width; j++)
            matrix[i * width + j] = sum((k) => at(factor, i, k) * at(factor, j, k)) + (i === j ? 0.1 : 0);
        const inverse = inverseCholesky(matrix, width)!;
        for (let i = 0; i < width; i++)
          for (let j = 0; j < width; j++) {
            if (j > i) expect(at(inverse, i, j)).to.equal(0);
            const product = sum((k) => sum((l) => at(inverse, i, k) * at(matrix, k, l) * at(inverse, j, l)));
            expect(product).to.be.closeTo(i === j ? 1 : 0, 1e-9);
          }
      }),
    );
  });

  it('says where a matrix is not positive definite', () => {
    expect(inverseCholesky(Float64Array.of(1, 2, 2, 1), 2)).to.equal(undefined);
    expect(inverseCholesky(Float64Array.of(Number.NaN), 1)).to.equal(undefined);
  });
});
