import { headMean } from './head-mean.ts';
import { matrices } from './head-moments.ts';
import type { Method } from './method.ts';

/** Weights of two classes that are the same have no boundary between them: they count as if they were far apart. */
const FAR = 1e30;

/**
 * Fast decision-boundary distance: −(1 / (K − 1)) Σ_{c ≠ ŷ} (f_ŷ − f_c) / (|w_ŷ − w_c| |x − μ|), the mean distance from the
 * boundaries between the predicted class ŷ and the others, over that from the training images' mean μ.
 *
 * Paper: Liu and Qin, "Fast decision boundary based out-of-distribution detector", ICML 2024. Code: litianliu/fDBD-OOD. No
 * settings. Cost: K quotients, and K² numbers are kept.
 */
export const fdbd: Method = {
  name: 'fdbd',
  title: 'fDBD',
  openood: 'fDBD',
  needs: ['head input', 'head', 'one class an image'],
  settings: {},
  async fit(training) {
    const { classes, width, head } = training;
    const mean = await headMean(training);
    const weight = Float64Array.from(head.weight);
    const products = await matrices(training).timesTransposed(weight, weight, width);
    const inverses = new Float32Array(classes * classes);
    for (let i = 0; i < classes; i++)
      for (let j = 0; j < classes; j++) {
        const square = products[i * classes + i] + products[j * classes + j] - 2 * products[i * classes + j];
        inverses[i * classes + j] = i === j ? 0 : 1 / (square > 0 ? Math.sqrt(square) : FAR);
      }
    return {
      addScore(nodes, { logits, headInput }) {
        const largest = nodes.reduce('ReduceMax', logits, 1, 'largest');
        const gaps = nodes.node('Sub', [logits, largest], 'gaps');
        const predicted = nodes.node('ArgMax', [logits], 'predicted', { axis: 1, keepdims: 0 });
        const table = nodes.floats('inverse_distances', [classes, classes], inverses);
        const own = nodes.node('Gather', [table, predicted], 'own_inverses', { axis: 0 });
        const sum = nodes.reduce('ReduceSum', nodes.node('Mul', [gaps, own], 'distances'), 1, 'sum');
        const centered = nodes.node('Sub', [headInput, nodes.floats('mean', [width], mean)], 'centred');
        const length = nodes.reduce('ReduceL2', centered, 1, 'length');
        const positive = nodes.node('Max', [length, nodes.float('least', 1e-8)], 'positive');
        const scaled = nodes.node('Mul', [positive, nodes.float('others', classes - 1)], 'scaled');
        return nodes.node('Div', [sum, scaled], 'score');
      },
    };
  },
};
