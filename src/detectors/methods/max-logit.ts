import type { Method } from './method.ts';

/**
 * Maximum logit: −max_k f_k.
 *
 * Paper: Hendrycks et al., "Scaling out-of-distribution detection for real-world settings", ICML 2022. Code:
 * hendrycks/anomaly-seg. No settings; it applies where classes do not exclude each other, too. Cost: none.
 */
export const maxLogit: Method = {
  name: 'max-logit',
  title: 'max logit',
  openood: 'MLS',
  needs: [],
  settings: {},
  async fit() {
    return {
      addScore: (nodes, { logits }) =>
        nodes.node('Neg', [nodes.reduce('ReduceMax', logits, 1, 'largest')], 'negated'),
    };
  },
};
