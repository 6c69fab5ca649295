import type { Method } from './method.ts';
import { runOnRows } from './run-on-rows.ts';

/** Where a class has no probability in any training image, its logarithm is taken of this, the smallest float32 number. */
const LEAST = 2 ** -149;

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
    const blocks = runOnRows(training.logits(), classes, (nodes, logits) =>
      nodes.node('Softmax', [logits], 'p', { axis: 1 }),
    );
    for await (const { block, result: p } of blocks)
      for (let row = 0; row < block.count; row++) {
        const k = predictions[block.start + row];
        for (let c = 0; c < classes; c++) sums[k * classes + c] += p[row * classes + c];
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
