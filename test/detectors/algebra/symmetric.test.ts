import { expect } from 'chai';
import fc from 'fast-check';
import { RandomState } from '../../../src/common/random.ts';
import { inverseCholeskyOfLarge } from '../../../src/detectors/algebra/inverse-cholesky.ts';
import { Matrices } from '../../../src/detectors/algebra/matrices.ts';
import { symmetricEigen } from '../../../src/detectors/algebra/symmetric-eigen.ts';

/** Kinds of symmetric matrices: their eigenvalues far apart, all near each other, equal, mostly 0, and of several blocks. */
const kinds = {
  random: (random: RandomState, size: number) => symmetric(size, () => random.normal()),
  decaying: (random: RandomState, size: number) => product(size, (j) => random.normal() * Math.exp(-j)),
  'of low rank': (random: RandomState, size: number) => product(size, (j) => (j < 2 ? random.normal() : 0)),
  'next to diagonal': (random: RandomState, size: number) =>
    symmetric(size, (i, j) => (i === j ? i % 3 : 1e-12 * random.normal())),
  diagonal: (_: RandomState, size: number) => symmetric(size, (i, j) => (i === j ? 2 : 0)),
  'of blocks': (random: RandomState, size: number) =>
    symmetric(size, (i, j) => (i % 7 === j % 7 ? random.normal() : 0)),
};

describe('symmetric matrices', () => {
  const matrices = new Matrices();

  for (const [kind, draw] of Object.entries(kinds))
    it(`${kind}: eigenvectors are orthogonal, and what the matrix makes of them`, async () => {
      const sizes = fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 30, max: 150 }));
      await fc.assert(
        fc.asyncProperty(sizes, fc.nat(1000), async (size, seed) => {
          const matrix = draw(new RandomState(seed), size);
          const { values, vectors } = await symmetricEigen(matrices, matrix, size);
          const scale = Math.max(1e-300, ...values.map(Math.abs));
          const images = await matrices.times(vectors, matrix, size);
          const products = await matrices.timesTransposed(vectors, vectors, size);
          let [residual, skew] = [0, 0];
          for (let i = 0; i < size; i++)
            for (let j = 0; j < size; j++) {
              const at = i * size + j;
              residual = Math.max(residual, Math.abs(images[at] - values[i] * vectors[at]));
              skew = Math.max(skew, Math.abs(products[at] - (i === j ? 1 : 0)));
            }
          expect(residual / scale).to.be.below(1e-13 * size);
          expect(skew).to.be.below(1e-14 * size);
          for (let i = 1; i < size; i++) expect(values[i]).to.be.at.least(values[i - 1]);
          const count = Math.ceil(size / 3);
          const some = await symmetricEigen(matrices, matrix, size, count);
          expect(some.vectors).to.have.length(count * size);
          const differences = some.vectors.map((value, at) => Math.abs(value - vectors[at]));
          expect(Math.max(...differences)).to.be.below(1e-13 * size);
        }),
        { numRuns: 8 },
      );
    });

  it('positive definite ones: the inverse factor makes them the identity', async () => {
    for (const size of [1, 2, 95, 96, 97, 200]) {
      const random = new RandomState(size);
      const matrix = product(size, () => random.normal());
      for (let i = 0; i < size; i++) matrix[i * size + i] += 1;
      const inverse = (await inverseCholeskyOfLarge(matrices, matrix, size))!;
      const whitened = await matrices.timesTransposed(
        await matrices.times(inverse, matrix, size),
        inverse,
        size,
      );
      let [residual, above] = [0, 0];
      whitened.forEach((value, at) => {
        const [i, j] = [Math.floor(at / size), at % size];
        residual = Math.max(residual, Math.abs(value - (i === j ? 1 : 0)));
        if (j > i) above = Math.max(above, Math.abs(inverse[at]));
      });
      expect(residual).to.be.below(1e-10);
      expect(above).to.equal(0);
    }
  });

  it('others have none', async () => {
    for (const at of [0, 150]) {
      const matrix = symmetric(200, (i, j) => (i === j ? (i === at ? -1 : 1) : 0));
      expect(await inverseCholeskyOfLarge(matrices, matrix, 200)).to.equal(undefined);
    }
  });

  it('scatters of rows are those of sums', async () => {
    const random = new RandomState(3);
    for (const width of [1, 5, 95, 96, 130]) {
      const rows = Float64Array.from({ length: 11 * width }, () => random.normal());
      const scatter = await matrices.scatter(rows, width);
      let difference = 0;
      for (let i = 0; i < width; i++)
        for (let j = 0; j < width; j++) {
          let sum = 0;
          for (let row = 0; row < 11; row++) sum += rows[row * width + i] * rows[row * width + j];
          difference = Math.max(difference, Math.abs(scatter[i * width + j] - sum));
        }
      expect(difference).to.be.below(1e-12);
    }
  });
});

function symmetric(size: number, draw: (i: number, j: number) => number): Float64Array {
  const matrix = new Float64Array(size * size);
  for (let i = 0; i < size; i++)
    for (let j = 0; j <= i; j++) {
      const value = draw(i, j);
      matrix[i * size + j] = value;
      matrix[j * size + i] = value;
    }
  return matrix;
}

/** B Bᵀ, B's columns drawn one by one. */
function product(size: number, draw: (j: number) => number): Float64Array {
  const b = Float64Array.from({ length: size * size }, (_, at) => draw(at % size));
  return symmetric(size, (i, j) => {
    let sum = 0;
    for (let k = 0; k < size; k++) sum += b[i * size + k] * b[j * size + k];
    return sum;
  });
}
