import { RandomState } from '../../src/common/random.ts';
import type { LayerSvm } from '../../src/detectors/layer-svm.ts';
import { standardize } from '../../src/detectors/standard-scaler.ts';

/** n × width float32 features as a layer has them: correlated, each with its own mean and scale, heavy on one side. */
export function pooledFeatures(count: number, width: number, seed = 1): Float32Array {
  const random = new RandomState(seed);
  const features = new Float32Array(count * width);
  for (let i = 0; i < count; i++) {
    const common = random.normal();
    for (let j = 0; j < width; j++) {
      const value = 0.5 * common + random.normal();
      features[i * width + j] = 1 + j + (0.1 + (j % 5)) * (value + 0.2 * value * value);
    }
  }
  return features;
}

/** A detector's decision function at raw features, straight from its definition and in float64. */
export function decisionValues(detector: LayerSvm, features: Float32Array): Float64Array {
  const { width, gamma, alpha, rho, supportVectors, scaler } = detector;
  const z = standardize(scaler, features);
  return Float64Array.from({ length: features.length / width }, (_, i) => {
    let sum = -rho;
    for (let s = 0; s < alpha.length; s++) {
      let square = 0;
      for (let j = 0; j < width; j++) square += (z[i * width + j] - supportVectors[s * width + j]) ** 2;
      sum += alpha[s] * Math.exp(-gamma * square);
    }
    return sum;
  });
}
