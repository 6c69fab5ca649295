import type { Method } from './method.ts';
import { addPruned, energyOfShaped } from './shaping.ts';

/**
 * ASH-B: the energy of the logits that the last layer makes of an image's largest head inputs alone, each replaced by the sum
 * of all of them over the number of those that are kept.
 *
 * Paper: Djurisic, Bozanic, Ashok and Liu, "Extremely simple activation shaping for out-of-distribution detection", ICLR 2023.
 * Code: andrijazz/ash. Settings: p = 0.9, as OpenOOD's, whose published figures are of a p chosen on validation OOD images.
 * Refused where head inputs are negative. Cost: the last layer once more.
 */
export const ashB: Method = {
  name: 'ash-b',
  title: 'ASH-B',
  openood: 'ASH',
  needs: ['head input', 'head', 'activations', 'one class an image'],
  settings: { p: 0.9 },
  isTuned: true,
  async fit(training) {
    return energyOfShaped(training, this.settings.p, (nodes, headInput, { sum, largest, columns, kept }) => {
      const each = nodes.node('Div', [sum, nodes.float('count', kept)], 'each');
      const values = nodes.node('Expand', [each, nodes.node('Shape', [largest], 'shape')], 'values');
      return addPruned(nodes, headInput, columns, values);
    });
  },
};
