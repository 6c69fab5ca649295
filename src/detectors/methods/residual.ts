import type { Method } from './method.ts';
import { addResidualLength, fitResidual } from './principal-space.ts';

/**
 * Residual: |x^⊥|, the length of what of x + W⁺ b lies outside the principal space of the training images'; it is what ViM adds
 * to the energy.
 *
 * Paper: Wang, Li, Feng and Zhang, "ViM: Out-of-distribution with virtual-logit matching", CVPR 2022, section 3. Code:
 * haoqiwang/vim. Settings: as ViM's. Cost: width · (width − dimension) products.
 */
export const residual: Method = {
  name: 'residual',
  title: 'residual',
  needs: ['head input', 'head'],
  settings: {},
  async fit(training) {
    const left = await fitResidual(training);
    return { addScore: (nodes, { headInput }) => addResidualLength(nodes, left, headInput) };
  },
};
