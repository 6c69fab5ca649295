import { headMean } from './head-mean.ts';
import type { Method } from './method.ts';
import { addEnergy, addHead } from './operators.ts';
import { quantile } from './quantile.ts';

/**
 * DICE: the energy of the logits that the last layer makes with those of its weights alone that contribute most: W_kj μ_j above
 * its p-th quantile, μ the training images' mean head input. Behind a LayerNorm, where μ_j may be negative, the same rule holds.
 *
 * Paper: Sun and Li, "DICE: Leveraging sparsification for out-of-distribution detection", ECCV 2022. Code: deeplearning-wisc/dice.
 * Settings: p = 0.9, the paper's, chosen on validation OOD images. Cost: the last layer once more.
 */
export const dice: Method = {
  name: 'dice',
  title: 'DICE',
  openood: 'DICE',
  needs: ['head input', 'head', 'one class an image'],
  settings: { p: 0.9 },
  isTuned: true,
  async fit(training) {
    const { width, head } = training;
    const mean = await headMean(training);
    const values = head.weight.map((weight, at) => weight * Math.fround(mean[at % width]));
    const threshold = quantile(() => [{ values }], this.settings.p);
    const weight = head.weight.map((number, at) => (values[at] > threshold ? number : 0));
    return {
      addScore: (nodes, { headInput }) =>
        addEnergy(nodes, addHead(nodes, { weight, bias: head.bias }, headInput)),
    };
  },
};
