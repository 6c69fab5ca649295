import { DetectorError } from '../../common/errors.ts';
import { addNearestDistance, fitHeadGaussians } from './gaussians.ts';
import type { Method } from './method.ts';

/**
 * Relative Mahalanobis distance: the distance from the nearest class mean less that from the mean of all training images, in
 * units of the covariance about that one.
 *
 * Paper: Ren et al., "A simple fix to Mahalanobis distance for improving near-OOD detection", 2021. Code: google/uncertainty-baselines.
 * No settings. Cost: 2 width² products, and width for each class.
 */
export const relativeMahalanobis: Method = {
  name: 'relative-mahalanobis',
  title: 'relative Mahalanobis',
  openood: 'RMDS',
  needs: ['head input'],
  settings: {},
  async fit(training) {
    const classes = await fitHeadGaussians(training, { normalized: false, about: 'class means' });
    if (classes.means.length === classes.width)
      throw new DetectorError(
        'classes',
        'all training images are of one class, and nothing is relative to it',
      );
    const all = await fitHeadGaussians(training, { normalized: false, about: 'mean' });
    return {
      notes: classes.notes,
      addScore: (nodes, { headInput }) =>
        nodes.node(
          'Sub',
          [addNearestDistance(nodes, classes, headInput), addNearestDistance(nodes, all, headInput)],
          'relative',
        ),
    };
  },
};
