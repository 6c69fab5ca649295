import { headMean } from './head-mean.ts';
import type { Method } from './method.ts';

/**
 * Neural-collapse-inspired detector: −(x − μ)·w_ŷ / |x − μ| − α ‖x‖₁, w_ŷ the weights of the predicted class, μ the training
 * images' mean.
 *
 * Paper: Liu and Qin, "Detecting out-of-distribution through the lens of neural collapse", CVPR 2025. Code: litianliu/NCI-OOD.
 * Settings: α = 1e-4, OpenOOD's before it chose on validation OOD images. Cost: width products.
 */
export const nci: Method = {
  name: 'nci',
  title: 'NCI',
  openood: 'NCI',
  needs: ['head input', 'head', 'one class an image'],
  settings: { alpha: 1e-4 },
  isTuned: true,
  async fit(training) {
    const { classes, width, head } = training;
    const { alpha } = this.settings;
    const mean = await headMean(training);
    return {
      addScore(nodes, { logits, headInput }) {
        const centered = nodes.node('Sub', [headInput, nodes.floats('mean', [width], mean)], 'centred');
        const predicted = nodes.node('ArgMax', [logits], 'predicted', { axis: 1, keepdims: 0 });
        const weights = nodes.floats('weight', [classes, width], head.weight);
        const own = nodes.node('Gather', [weights, predicted], 'own_weight', { axis: 0 });
        const product = nodes.reduce(
          'ReduceSum',
          nodes.node('Mul', [centered, own], 'products'),
          1,
          'product',
        );
        const length = nodes.reduce('ReduceL2', centered, 1, 'length');
        const positive = nodes.node('Max', [length, nodes.float('least', 1e-12)], 'positive');
        const alignment = nodes.node('Div', [product, positive], 'alignment');
        const size = nodes.reduce('ReduceL1', headInput, 1, 'size');
        const scaled = nodes.node('Mul', [size, nodes.float('alpha', alpha)], 'scaled_size');
        return nodes.node('Neg', [nodes.node('Add', [alignment, scaled], 'both')], 'negated');
      },
    };
  },
};
