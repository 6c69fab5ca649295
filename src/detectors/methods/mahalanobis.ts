import { addNearestDistance, fitHeadGaussians } from './gaussians.ts';
import type { Method } from './method.ts';

/**
 * Mahalanobis distance: min_k (x − μ_k)ᵀ Σ⁻¹ (x − μ_k), μ_k the mean head input of the training images of class k, Σ the
 * covariance about these, one for all classes (see `Gaussians` for its regularisation). Without the paper's perturbed inputs and
 * its weights of layers, which are chosen on OOD images.
 *
 * Paper: Lee, Lee, Lee and Shin, "A simple unified framework for detecting out-of-distribution samples and adversarial attacks",
 * NeurIPS 2018. Code: pokaxpoka/deep_Mahalanobis_detector. No settings. Cost: width² products, and width for each class.
 */
export const mahalanobis: Method = {
  name: 'mahalanobis',
  title: 'Mahalanobis',
  openood: 'MDS',
  needs: ['head input'],
  settings: {},
  async fit(training) {
    const gaussians = await fitHeadGaussians(training, { normalized: false, about: 'class means' });
    return {
      notes: gaussians.notes,
      addScore: (nodes, { headInput }) => addNearestDistance(nodes, gaussians, headInput),
    };
  },
};
