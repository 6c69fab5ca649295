import type { Method } from './method.ts';

/**
 * GradNorm of the last layer's weights: −‖∂L/∂W‖₁ of the cross-entropy L of the softmax p (temperature 1) and the uniform
 * distribution u. ∂L/∂f = p − u and f = W x + b, so that it is −‖x‖₁ ‖p − u‖₁: no backward pass.
 *
 * Paper: Huang, Geng and Li, "On the importance of gradients for detecting distributional shifts in the wild", NeurIPS 2021.
 * Code: deeplearning-wisc/gradnorm_ood. Settings: temperature 1, the last layer's weights, the paper's. Cost: K exponentials.
 */
export const gradnorm: Method = {
  name: 'gradnorm',
  title: 'GradNorm',
  openood: 'GradNorm',
  needs: ['head input', 'one class an image'],
  settings: {},
  async fit({ classes }) {
    return {
      addScore(nodes, { logits, headInput }) {
        const p = nodes.node('Softmax', [logits], 'p', { axis: 1 });
        const gradient = nodes.node('Sub', [p, nodes.float('uniform', 1 / classes)], 'gradient');
        const length = nodes.reduce('ReduceL1', gradient, 1, 'gradient_length');
        const size = nodes.reduce('ReduceL1', headInput, 1, 'input_length');
        return nodes.node('Neg', [nodes.node('Mul', [length, size], 'norm')], 'negated');
      },
    };
  },
};
