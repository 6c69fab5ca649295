import { drawBank } from './bank.ts';
import { addLargest } from './largest.ts';
import type { Method } from './method.ts';
import { addEnergy, addHead, addNormalized, normalize } from './operators.ts';
import { scoreRows } from './score-training.ts';
import type { Training } from './training.ts';

/**
 * Nearest-neighbour guidance: −E(x) · the mean of the k largest ẑ·(E_i ẑ_i), ẑ head inputs of length 1, E = log Σ exp of the
 * logits, i a training image.
 *
 * Paper: Park, Jung and Teoh, "Nearest neighbor guidance for out-of-distribution detection", ICCV 2023. Code: roomo7time/nnguide.
 * Settings: k = 10, the paper's, which keeps a share of the images drawn at random: all here, or those of the coreset. Cost: a
 * product with every kept image, and 4 · width bytes for each.
 */
export const nnguide: Method = {
  name: 'nnguide',
  title: 'NNGuide',
  openood: 'NNGuide',
  needs: ['head input', 'head', 'one class an image'],
  settings: { k: 10 },
  async fit(training, options) {
    const { width, head } = training;
    const { rows, size, padded } = drawBank(training, options);
    const k = Math.min(this.settings.k, size);
    const energies = await energiesOf(rows, head, width);
    normalize(rows, width, rows);
    for (let i = 0; i < size; i++) for (let j = i * width; j < (i + 1) * width; j++) rows[j] *= energies[i];
    return {
      addScore(nodes, { logits, headInput }) {
        const nowhere = new Float32Array(padded).fill(-1e30, size);
        const images = nodes.floats('bank', [padded, width], rows);
        const products = nodes.node(
          'Gemm',
          [addNormalized(nodes, headInput), images, nodes.floats('nowhere', [padded], nowhere)],
          'products',
          { transB: 1 },
        );
        const { largest } = addLargest(nodes, products, padded, k);
        const guidance = nodes.reduce('ReduceMean', largest, 1, 'guidance');
        return nodes.node('Mul', [guidance, addEnergy(nodes, logits)], 'guided_energy');
      },
    };
  },
};

/** log Σ exp of the logits of head inputs. */
async function energiesOf(rows: Float32Array, head: Training['head'], width: number): Promise<Float32Array> {
  const negated = await scoreRows(rows, width, (nodes, headInput) =>
    addEnergy(nodes, addHead(nodes, head, headInput)),
  );
  return negated.map((energy) => -energy);
}
