import type { TapDetector, WidthGroup } from './distance-scores.ts';

/** A detector that measures in units of the covariance. */
export interface WhitenedDetector extends TapDetector {
  /** L⁻¹ of the standardised features' covariance L Lᵀ: width × width, row-major. */
  readonly whitening: Float32Array;
}

/** Adds the product with L⁻¹. Gives the name of the whitened features, `[detectors, batch, width]`. */
export function addWhitened({ detectors, width, features, nodes }: WidthGroup<WhitenedDetector>): string {
  // Transposed; what fills up the width is multiplied by zeros.
  const factors = new Float32Array(detectors.length * width * width);
  detectors.forEach(({ scaler, whitening }, d) => {
    const own = scaler.mean.length;
    for (let i = 0; i < own; i++)
      for (let j = 0; j < own; j++) factors[(d * width + j) * width + i] = whitening[i * own + j];
  });
  const shape = [detectors.length, width, width];
  return nodes.node('MatMul', [features, nodes.floats('whitening', shape, factors)], 'whitened');
}
