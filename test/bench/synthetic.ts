import { RandomState } from '../../src/common/random.ts';

/**
 * Features like a network's, n × width: ten classes, each around a centre of its own, that vary together in a few directions, and
 * a little each by itself.
 */
export function correlatedFeatures(n: number, width: number, seed: number): Float32Array {
  const random = new RandomState(seed);
  const draw = (count: number, scale: number) =>
    Float64Array.from({ length: count }, () => scale * random.normal());
  const directions = Math.ceil(width / 3);
  const mixing = draw(directions * width, 1 / Math.sqrt(directions));
  const centers = draw(10 * directions, 1);
  const features = draw(n * width, 0.3);
  for (let i = 0; i < n; i++) {
    const center = (i % 10) * directions;
    for (let d = 0; d < directions; d++) {
      const factor = centers[center + d] + random.normal();
      for (let j = 0; j < width; j++) features[i * width + j] += factor * mixing[d * width + j];
    }
  }
  return Float32Array.from(features);
}
