import type { Method } from './method.ts';
import { addEnergy, addHead } from './operators.ts';
import { addShaping } from './shaping.ts';

/**
 * SCALE: the energy of the logits that the last layer makes of x · exp(s / s_top), s the sum of an image's head inputs, s_top
 * that of the largest 1 − p of them.
 *
 * Paper: Xu, Chen, Franchi and Yao, "Scaling for training time and post-hoc out-of-distribution detection enhancement", ICLR
 * 2024. Code: kai422/SCALE. Settings: p = 0.85, the paper's; OpenOOD chose it on validation OOD images. Refused where head inputs
 * are negative. Cost: the last layer once more.
 */
export const scale: Method = {
  name: 'scale',
  title: 'SCALE',
  openood: 'SCALE',
  needs: ['head input', 'head', 'activations', 'one class an image'],
  settings: { p: 0.85 },
  isTuned: true,
  async fit({ head, width }) {
    const { p } = this.settings;
    return {
      addScore(nodes, { headInput }) {
        const { factor } = addShaping(nodes, headInput, width, p);
        return addEnergy(nodes, addHead(nodes, head, nodes.node('Mul', [headInput, factor], 'shaped')));
      },
    };
  },
};
