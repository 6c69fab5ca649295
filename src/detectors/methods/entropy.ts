import type { Method } from './method.ts';
import { addLogProbabilities } from './operators.ts';

/**
 * Entropy of the softmax: −Σ_k p_k log p_k, in [0, log K].
 *
 * Paper: Chan, Rottmann and Gottschalk, "Entropy maximization and meta classification for out-of-distribution detection in
 * semantic segmentation", ICCV 2021. Code: robin-chan/meta-ood. No settings. Cost: K exponentials.
 */
export const entropy: Method = {
  name: 'entropy',
  title: 'entropy',
  needs: ['one class an image'],
  settings: {},
  async fit() {
    return {
      addScore(nodes, { logits }) {
        const { logP } = addLogProbabilities(nodes, logits);
        const terms = nodes.node('Mul', [nodes.node('Exp', [logP], 'p'), logP], 'terms');
        return nodes.node('Neg', [nodes.reduce('ReduceSum', terms, 1, 'sum')], 'entropy');
      },
    };
  },
};
