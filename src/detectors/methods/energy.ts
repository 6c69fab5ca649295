import type { Method } from './method.ts';
import { addEnergy } from './operators.ts';

/**
 * Free energy at temperature T = 1: −T log Σ_k exp(f_k / T) of the logits f.
 *
 * Paper: Liu, Wang, Owens and Li, "Energy-based out-of-distribution detection", NeurIPS 2020. Code: wetliu/energy_ood.
 * Cost: K exponentials.
 */
export const energy: Method = {
  name: 'energy',
  title: 'energy',
  openood: 'EBO',
  needs: ['one class an image'],
  settings: {},
  async fit() {
    return { addScore: (nodes, { logits }) => addEnergy(nodes, logits) };
  },
};
