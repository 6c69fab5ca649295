import type { Method } from './method.ts';

/**
 * Simplified Hopfield energy: −x·S_ŷ, S_k the mean head input of the training images of class k that are classified rightly;
 * of a class of which none is, the mean of all that are.
 *
 * Paper: Zhang et al., "Out-of-distribution detection based on in-distribution data patterns memorization with modern Hopfield
 * energy", ICLR 2023. Code: zjs975584714/SHE. Settings: the inner product, the paper's. Cost: width products.
 */
export const she: Method = {
  name: 'she',
  title: 'SHE',
  openood: 'SHE',
  needs: ['head input', 'one class an image'],
  settings: {},
  async fit(training) {
    const { classes, width, labels, predictions } = training;
    const sums = new Float64Array((classes + 1) * width);
    const counts = new Float64Array(classes + 1);
    for (const { start, count, values } of training.headInputs())
      for (let row = 0; row < count; row++) {
        const label = labels[start + row];
        if (predictions[start + row] !== label) continue;
        // The last row is that of all.
        for (const k of [label, classes]) {
          counts[k]++;
          for (let j = 0; j < width; j++) sums[k * width + j] += values[row * width + j];
        }
      }
    const patterns = Float32Array.from({ length: classes * width }, (_, at) => {
      const k = counts[Math.floor(at / width)] > 0 ? Math.floor(at / width) : classes;
      return sums[k * width + (at % width)] / Math.max(1, counts[k]);
    });
    return {
      addScore(nodes, { logits, headInput }) {
        const predicted = nodes.node('ArgMax', [logits], 'predicted', { axis: 1, keepdims: 0 });
        const rows = nodes.floats('patterns', [classes, width], patterns);
        const own = nodes.node('Gather', [rows, predicted], 'own_pattern', { axis: 0 });
        const product = nodes.reduce(
          'ReduceSum',
          nodes.node('Mul', [headInput, own], 'products'),
          1,
          'product',
        );
        return nodes.node('Neg', [product], 'negated');
      },
    };
  },
};
