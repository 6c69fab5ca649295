import type { Method } from './method.ts';
import { addSoftmaxRest } from './operators.ts';

/**
 * Maximum softmax probability: 1 − max_k p_k, in [0, 1 − 1/K]. What is left for the other classes is summed by itself, so
 * that sure images keep an order where max_k p_k is rounded to 1.
 *
 * Paper: Hendrycks and Gimpel, "A baseline for detecting misclassified and out-of-distribution examples in neural
 * networks", ICLR 2017. Code: hendrycks/error-detection. No settings. Cost: K exponentials.
 */
export const msp: Method = {
  name: 'msp',
  title: 'MSP',
  openood: 'MSP',
  needs: ['one class an image'],
  settings: {},
  async fit() {
    return { addScore: (nodes, { logits }) => addSoftmaxRest(nodes, logits) };
  },
};
