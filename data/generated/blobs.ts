import type { RandomState } from '../../src/common/random.ts';
import { gaussianFilter } from '../gaussian-filter.ts';
import type { ImageSet } from '../image-set.ts';
import { resize } from '../resample.ts';
import { type DrawnOptions, drawnSet } from './drawn-set.ts';

const SIDE = 32;
/** Share of the samples that are white before they are blurred. */
const WHITE = 0.7;
const SIGMA = 1.5;
/** What is darker becomes black. */
const THRESHOLD = 0.75;

/**
 * Shapes without meaning, with definite edges: black and white samples, seven of ten white, blurred by a Gaussian with
 * σ = 1.5 along rows, columns and colours, and what is below 0.75 then set to 0. These are the blobs of Outlier Exposure
 * (Hendrycks, Mazeika, Dietterich: *Deep anomaly detection with outlier exposure*, ICLR 2019). They are drawn at
 * 32 × 32 and resampled from that to other sizes.
 */
export function blobs(options: DrawnOptions): ImageSet {
  return drawnSet(
    {
      name: 'blobs',
      stream: 18,
      draw: (random, size) => resize({ height: SIDE, width: SIDE, pixels: drawBlobs(random) }, size),
    },
    options,
  );
}

function drawBlobs(random: RandomState): Uint8Array {
  const shape = [SIDE, SIDE, 3];
  const values = Float64Array.from({ length: 3 * SIDE * SIDE }, () => (random.random() < WHITE ? 1 : 0));
  gaussianFilter(values, shape, SIGMA, [0, 1, 2]);
  return Uint8Array.from(values, (value) => (value < THRESHOLD ? 0 : Math.round(255 * value)));
}
