import { addLargest, GROUP } from './largest.ts';
import type { Method } from './method.ts';
import { addEnergy, addNormalised, normalise } from './operators.ts';

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
  async fit(training, { bank = training.count, seed = 0 }) {
    const { width, classes, head } = training;
    const { rows } = training.sample(bank, seed);
    const size = rows.length / width;
    const k = Math.min(this.settings.k, size);
    const scaled = normalise(rows, width);
    const z = new Float64Array(classes);
    for (let i = 0; i < size; i++) {
      for (let c = 0; c < classes; c++) {
        z[c] = head.bias[c];
        for (let j = 0; j < width; j++) z[c] += head.weight[c * width + j] * rows[i * width + j];
      }
      const largest = z.reduce((a, b) => Math.max(a, b));
      const energy = largest + Math.log(z.reduce((sum, value) => sum + Math.exp(value - largest), 0));
      for (let j = i * width; j < (i + 1) * width; j++) scaled[j] *= energy;
    }
    return {
      addScore(nodes, { logits, headInput }) {
        const padded = GROUP * Math.ceil(size / GROUP);
        const kept = new Float32Array(padded * width);
        kept.set(scaled);
        const nowhere = new Float32Array(padded).fill(-1e30, size);
        const images = nodes.floats('bank', [padded, width], kept);
        const products = nodes.node(
          'Gemm',
          [addNormalised(nodes, headInput), images, nodes.floats('nowhere', [padded], nowhere)],
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
