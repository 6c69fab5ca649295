import { groupSums } from './group-sums.ts';
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
    const rightClasses = labels.map((label, image) => (predictions[image] === label ? label : classes));
    const { sums, counts } = await groupSums(training, { normalized: false }, rightClasses, classes);
    const all = new Float64Array(width);
    sums.forEach((sum, at) => {
      all[at % width] += sum;
    });
    const right = counts.reduce((sum, count) => sum + count, 0);
    const patterns = Float32Array.from({ length: classes * width }, (_, at) => {
      const count = counts[Math.floor(at / width)];
      return count > 0 ? sums[at] / count : all[at % width] / Math.max(1, right);
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
