import type { Method } from './method.ts';
import { addEnergy, addHead } from './operators.ts';
import { quantile } from './quantile.ts';

/**
 * ReAct: the energy of the logits that the last layer makes of min(x, c), c the p-th quantile of all head inputs of the
 * training images. Behind a LayerNorm, where head inputs are negative too, only what is large is cut.
 *
 * Paper: Sun, Guo and Li, "ReAct: Out-of-distribution detection with rectified activations", NeurIPS 2021. Code:
 * deeplearning-wisc/react. Settings: p = 0.9, the paper's, chosen on validation OOD images. Cost: the last layer once more.
 */
export const react: Method = {
  name: 'react',
  title: 'ReAct',
  openood: 'ReAct',
  needs: ['head input', 'head', 'one class an image'],
  settings: { p: 0.9 },
  isTuned: true,
  async fit(training) {
    const limit = quantile(() => training.headInputs(), this.settings.p);
    const { head } = training;
    return {
      addScore(nodes, { headInput }) {
        const cut = nodes.node('Min', [headInput, nodes.float('limit', limit)], 'cut');
        return addEnergy(nodes, addHead(nodes, head, cut));
      },
    };
  },
};
