import type { Method } from './method.ts';
import { addEnergy } from './operators.ts';
import { addResidualLength, fitResidual } from './principal-space.ts';
import { scoreTraining } from './score-training.ts';

/**
 * Virtual-logit matching: α |x^⊥| − log Σ_k exp f_k, x^⊥ what of x + W⁺ b lies outside the principal space of the training
 * images', α such that the virtual logit α |x^⊥| is on average as large as the largest logit of training images.
 *
 * Paper: Wang, Li, Feng and Zhang, "ViM: Out-of-distribution with virtual-logit matching", CVPR 2022. Code: haoqiwang/vim.
 * Settings: the principal space has 1,000 dimensions from a width of 2,048 on, 512 from 768 on, else half the width, as in the
 * authors' code. Cost: width · (width − dimension) products.
 */
export const vim: Method = {
  name: 'vim',
  title: 'ViM',
  openood: 'VIM',
  needs: ['head input', 'head', 'one class an image'],
  settings: {},
  async fit(training) {
    const residual = await fitResidual(training);
    const lengths = await scoreTraining(training, (nodes, headInput) =>
      addResidualLength(nodes, residual, headInput),
    );
    let largest = 0;
    for (const { count, values } of training.logits())
      for (let row = 0; row < count; row++) {
        let top = values[row * training.classes];
        for (let c = 1; c < training.classes; c++) top = Math.max(top, values[row * training.classes + c]);
        largest += top;
      }
    const alpha = largest / lengths.reduce((sum, length) => sum + length, 0);
    return {
      addScore(nodes, { logits, headInput }) {
        const length = addResidualLength(nodes, residual, headInput);
        const virtual = nodes.node('Mul', [length, nodes.float('alpha', alpha)], 'virtual_logit');
        return nodes.node('Add', [virtual, addEnergy(nodes, logits)], 'matched');
      },
    };
  },
};
