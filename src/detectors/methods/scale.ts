import type { Method } from './method.ts';
import { energyOfShaped } from './shaping.ts';

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
  async fit(training) {
    return energyOfShaped(training, this.settings.p, (nodes, headInput, { factor }) =>
      nodes.node('Mul', [headInput, factor], 'shaped'),
    );
  },
};
