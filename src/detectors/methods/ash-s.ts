import type { Method } from './method.ts';
import { addPruned, energyOfShaped } from './shaping.ts';

/**
 * ASH-S: the energy of the logits that the last layer makes of an image's largest head inputs alone, each multiplied by
 * exp(s / s_top), s the sum of all of them, s_top that of the largest 1 − p.
 *
 * Paper: Djurisic, Bozanic, Ashok and Liu, "Extremely simple activation shaping for out-of-distribution detection", ICLR 2023.
 * Code: andrijazz/ash. Settings: p = 0.9, the paper's for ImageNet, and OpenOOD's before it chose on validation OOD images.
 * Refused where head inputs are negative. Cost: the last layer once more.
 */
export const ashS: Method = {
  name: 'ash-s',
  title: 'ASH-S',
  needs: ['head input', 'head', 'activations', 'one class an image'],
  settings: { p: 0.9 },
  isTuned: true,
  async fit(training) {
    return energyOfShaped(training, this.settings.p, (nodes, headInput, { factor, largest, columns }) =>
      addPruned(nodes, headInput, columns, nodes.node('Mul', [largest, factor], 'scaled')),
    );
  },
};
