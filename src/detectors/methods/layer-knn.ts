import { fitKnn } from '../fit-knn.ts';
import { meanOverLayers } from './layer-scores.ts';
import type { Method } from './method.ts';

/**
 * Nearest neighbours by layer: the mean over groups of neighbouring taps of the logarithm of the squared distance from the 5th
 * nearest of 1,000 training images, each standardised by other training images.
 *
 * Paper: Sun, Ming, Zhu and Li, "Out-of-distribution detection with deep nearest neighbors", ICML 2022, of the last layer alone;
 * all stages are compared in deel-ai/oodeel-benchmark. Cost: 1,000 products for each channel, and the taps have to be pooled.
 */
export const layerKnn: Method = {
  name: 'layer-knn',
  title: 'KNN by layer',
  needs: ['layers'],
  settings: {},
  fit: (training) => meanOverLayers(training, fitKnn),
};
