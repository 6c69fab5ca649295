import type { Method } from './method.ts';
import { addLogProbabilities, addRange } from './operators.ts';

/**
 * Generalised entropy: Σ over the M largest probabilities of p^γ (1 − p)^γ, computed from logarithms: rounded to 1, a sure
 * image's largest probability would lose all that γ < 1 makes of the rest.
 *
 * Paper: Liu, Lochman and Zach, "GEN: Pushing the limits of softmax-based out-of-distribution detection", CVPR 2023. Code:
 * XixiLiu95/GEN. Settings: γ = 0.1, M = 100 (all classes where there are fewer), the paper's; OpenOOD chose both on validation
 * OOD images. Cost: a sort of K logits.
 */
export const gen: Method = {
  name: 'gen',
  title: 'GEN',
  openood: 'GEN',
  needs: ['one class an image'],
  settings: { gamma: 0.1, M: 100 },
  isTuned: true,
  async fit({ classes }) {
    const { gamma, M } = this.settings;
    return {
      addScore(nodes, { logits }) {
        const { logP, logRest } = addLogProbabilities(nodes, logits);
        const both = nodes.node('Add', [logP, logRest], 'log_product');
        const top = nodes.node('Slice', [both, ...addRange(nodes, 0, Math.min(M, classes))], 'top');
        const scaled = nodes.node('Mul', [top, nodes.float('gamma', gamma)], 'scaled');
        return nodes.reduce('ReduceSum', nodes.node('Exp', [scaled], 'powers'), 1, 'sum');
      },
    };
  },
};
