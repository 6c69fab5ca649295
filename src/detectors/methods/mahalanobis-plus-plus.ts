import { addNearestDistance, fitHeadGaussians } from './gaussians.ts';
import type { Method } from './method.ts';
import { addNormalized } from './operators.ts';

/**
 * Mahalanobis++: the Mahalanobis distance of head inputs of length 1.
 *
 * Paper: Müller and Hein, "Mahalanobis++: Improving OOD detection via feature normalization", ICML 2025. Code:
 * mueller-mp/maha-norm. No settings. Cost: width² products, and width for each class.
 */
export const mahalanobisPlusPlus: Method = {
  name: 'mahalanobis++',
  title: 'Mahalanobis++',
  openood: 'MDS++',
  needs: ['head input'],
  settings: {},
  async fit(training) {
    const gaussians = await fitHeadGaussians(training, { normalized: true, about: 'class means' });
    return {
      notes: gaussians.notes,
      addScore: (nodes, { headInput }) =>
        addNearestDistance(nodes, gaussians, addNormalized(nodes, headInput)),
    };
  },
};
