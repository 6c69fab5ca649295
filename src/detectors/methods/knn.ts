import { coresetNotes, drawBank } from './bank.ts';
import { addLargest } from './largest.ts';
import type { Method } from './method.ts';
import { addNormalized, normalize } from './operators.ts';

/** Products with what fills up the bank: below all others, which are at least −1.5. */
const NOWHERE = -4;

/**
 * Deep nearest neighbours: the distance |z − z_(k)| from the k-th nearest training image, of head inputs of length 1.
 * Products in float32 find it, its distance is computed anew.
 *
 * Paper: Sun, Ming, Zhu and Li, "Out-of-distribution detection with deep nearest neighbors", ICML 2022. Code:
 * deeplearning-wisc/knn-ood. Settings: k = 50, the paper's for CIFAR-10 (200 for CIFAR-100 and 1,000 for ImageNet were chosen on
 * validation OOD images there). With a coreset, of m of n images drawn at random, k shrinks to k m / n, at least 1, as in the
 * paper. Cost: a product with every kept image, and 4 · width bytes for each.
 */
export const knn: Method = {
  name: 'knn',
  title: 'KNN',
  openood: 'KNN',
  needs: ['head input'],
  settings: { k: 50 },
  isTuned: true,
  async fit(training, options) {
    const { width, count } = training;
    const bank = drawBank(training, options);
    const { rows, size, padded } = bank;
    normalize(rows, width, rows);
    const all = Math.min(this.settings.k, count);
    const k = Math.max(1, Math.round((all * size) / count));
    return {
      notes: await coresetNotes(training, bank, k, all),
      addScore(nodes, { headInput }) {
        const halves = new Float32Array(padded).fill(NOWHERE);
        for (let i = 0; i < size; i++) {
          let square = 0;
          for (let j = i * width; j < (i + 1) * width; j++) square += rows[j] * rows[j];
          halves[i] = -square / 2;
        }
        // The nearest has the largest z·b − |b|²/2.
        const z = addNormalized(nodes, headInput);
        const images = nodes.floats('bank', [padded, width], rows);
        const products = nodes.node(
          'Gemm',
          [z, images, nodes.floats('halves', [padded], halves)],
          'products',
          {
            transB: 1,
          },
        );
        const { columns } = addLargest(nodes, products, padded, k);
        const kth = nodes.node('Gather', [columns, nodes.int64('kth', k - 1)], 'kth_column', { axis: 1 });
        const neighbor = nodes.node('Gather', [images, kth], 'neighbour', { axis: 0 });
        return nodes.reduce('ReduceL2', nodes.node('Sub', [z, neighbor], 'difference'), 1, 'distance');
      },
    };
  },
};
