import { oneClassSvms } from '../one-class-svms.ts';
import type { Method } from './method.ts';

/**
 * The maximum over layers of one-class SVMs' scores, ρ − Σ_j α_j exp(−γ |sv_j − x|²) of the standardised pooled value x.
 *
 * Paper: LA-OOD (layer-adaptive OOD detection), this project's original. Settings: those that `la-ood fit` was run with; no OOD
 * image takes part. Cost: a product with each support vector, and the taps have to be pooled.
 */
export const layerSvms: Method = {
  name: 'layer-svms',
  title: "one-class SVMs' maximum",
  needs: ['one-class SVMs'],
  settings: {},
  async fit({ features: { svms = [] } }) {
    return {
      addScore(nodes) {
        const scores = `${nodes.name}/layers`;
        oneClassSvms(svms).addScores(nodes.graph, [...svms.keys()], scores);
        return nodes.reduce('ReduceMax', scores, 1, 'largest');
      },
    };
  },
};
