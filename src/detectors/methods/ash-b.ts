import type { Method } from './method.ts';
import { addEnergy, addHead } from './operators.ts';
import { addPruned, addShaping } from './shaping.ts';

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
  async fit({ head, width }) {
    const { p } = this.settings;
    return {
      addScore(nodes, { headInput }) {
        const { sum, largest, columns, kept } = addShaping(nodes, headInput, width, p);
        const each = nodes.node('Div', [sum, nodes.float('count', kept)], 'each');
        const shape = nodes.node('Shape', [largest], 'shape');
        const values = nodes.node('Expand', [each, shape], 'values');
        return addEnergy(nodes, addHead(nodes, head, addPruned(nodes, headInput, columns, values)));
      },
    };
  },
};
