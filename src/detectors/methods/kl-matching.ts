import type { Method } from './method.ts';

/** Where a class has no probability in any training image, its logarithm is taken of this. */
const LEAST = 1e-300;

/**
 * KL matching: min_k KL(p ‖ d_k), d_k the mean softmax of the training images that are predicted as class k; classes that
 * none is predicted as have no d_k.
 *
 * Paper: Hendrycks et al., "Scaling out-of-distribution detection for real-world settings", ICML 2022. Code:
 * hendrycks/anomaly-seg. No settings. The paper takes held-out images for d_k, these are training images. Cost: K² products.
 */
export const klMatching: Method = {
  name: 'kl-matching',
  title: 'KL matching',
  openood: 'KLM',
  needs: ['one class an image'],
  settings: {},
  async fit(training) {
    const { classes, predictions } = training;
    const sums = new Float64Array(classes * classes);
    const counts = new Float64Array(classes);
    const p = new Float64Array(classes);
    for (const { start, count, values } of training.logits())
      for (let row = 0; row < count; row++) {
        const z = values.subarray(row * classes, (row + 1) * classes);
        const k = predictions[start + row];
        let sum = 0;
        for (let c = 0; c < classes; c++) {
          p[c] = Math.exp(z[c] - z[k]);
          sum += p[c];
        }
        for (let c = 0; c < classes; c++) sums[k * classes + c] += p[c] / sum;
        counts[k]++;
      }
    const present = [...counts.keys()].filter((k) => counts[k] > 0);
    const logs = present.flatMap((k) =>
      Array.from(sums.subarray(k * classes, (k + 1) * classes), (sum) =>
        Math.log(Math.max(sum / counts[k], LEAST)),
      ),
    );
    return {
      addScore(nodes, { logits }) {
        const logP = nodes.node('LogSoftmax', [logits], 'log_p', { axis: 1 });
        const p = nodes.node('Exp', [logP], 'p');
        const own = nodes.reduce('ReduceSum', nodes.node('Mul', [p, logP], 'p_log_p'), 1, 'own');
        const typical = nodes.floats('log_typical', [present.length, classes], logs);
        const cross = nodes.node('Gemm', [p, typical], 'cross', { transB: 1 });
        return nodes.reduce('ReduceMin', nodes.node('Sub', [own, cross], 'divergences'), 1, 'nearest');
      },
    };
  },
};
