import { fitGaussians } from '../fit-gaussians.ts';
import { meanOverLayers } from './layer-scores.ts';
import type { Method } from './method.ts';

/**
 * Gaussians by layer: the mean over groups of neighbouring taps of log (x − μ)ᵀ Σ⁻¹ (x − μ), each standardised by training
 * images. x are the taps' pooled values, standardised; 1e-3 is added to each of their variances. Classes take no part.
 *
 * Paper: the distance is that of Lee, Lee, Lee and Shin, "A simple unified framework for detecting out-of-distribution samples
 * and adversarial attacks", NeurIPS 2018, who weight layers by OOD images; groups of taps and the mean are this project's, and
 * without classes it is close to Podolskiy et al., "Revisiting Mahalanobis distance for transformer-based out-of-domain
 * detection", AAAI 2021. Cost: 128 products for each channel, and the taps have to be pooled.
 */
export const layerGaussians: Method = {
  name: 'layer-gaussians',
  title: 'Gaussians by layer',
  needs: ['layers'],
  settings: {},
  fit: (training) => meanOverLayers(training, fitGaussians),
};
