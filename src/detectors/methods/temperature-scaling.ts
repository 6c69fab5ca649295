import { DetectorError } from '../../common/errors.ts';
import { RandomState } from '../../common/random.ts';
import type { Method } from './method.ts';
import { addSoftmaxRest } from './operators.ts';

/** Training images that the temperature is fitted on, at most. */
const IMAGES = 20_000;

/** Inverse temperatures that are looked at. */
const [LEAST, MOST] = [1e-3, 1e3];

/** Relative change of the inverse temperature at which it is found, and steps until then at most: six are usual. */
const [ENOUGH, STEPS] = [1e-9, 60];

/**
 * Temperature scaling: MSP of the logits divided by the temperature T that makes labels likeliest.
 *
 * Paper: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017. Code:
 * gpleiss/temperature_scaling. Settings: none; the paper fits T on held-out images, here it is fitted on up to 20,000 training
 * images, on which the classifier is surer than on others. Labels have to be known. Cost: K exponentials.
 */
export const temperatureScaling: Method = {
  name: 'temperature-scaling',
  title: 'temperature scaling',
  openood: 'TempScale',
  needs: ['one class an image', 'labels'],
  settings: {},
  async fit(training) {
    const { classes, labels, count } = training;
    const isChosen = new Uint8Array(count);
    const chosen = new RandomState(0).permutation(count).subarray(0, IMAGES);
    for (const image of chosen) isChosen[image] = 1;
    // Of each image the other logits, less the label's.
    const gaps = new Float32Array(chosen.length * classes);
    let at = 0;
    for (const { start, count: rows, values } of training.logits())
      for (let row = 0; row < rows; row++) {
        if (!isChosen[start + row]) continue;
        const first = row * classes;
        const own = values[first + labels[start + row]];
        for (let c = first; c < first + classes; c++) gaps[at++] = values[c] - own;
      }
    const inverse = likeliest(gaps, classes);
    return {
      notes: [`temperature ${(1 / inverse).toFixed(3)}`],
      addScore: (nodes, values) =>
        addSoftmaxRest(nodes, nodes.node('Mul', [values.logits, nodes.float('inverse', inverse)], 'scaled')),
    };
  },
};

/**
 * The inverse temperature β that makes labels likeliest: the zero of the likelihood's slope, Newton's way in log β, and halving the
 * range of log β where that leads out of it. The slope rises with β.
 *
 * @throws DetectorError where it is still negative at the end of the range
 */
function likeliest(gaps: Float32Array, classes: number): number {
  let [low, high] = [Math.log(LEAST), Math.log(MOST)];
  const end = high;
  let at = 0;
  for (let step = 0; step < STEPS && high - low > ENOUGH; step++) {
    const inverse = Math.exp(at);
    const { slope, curvature } = slopeOf(gaps, classes, inverse);
    if (slope < 0) low = at;
    else high = at;
    const next = at - slope / (inverse * curvature);
    if (Math.abs(next - at) < ENOUGH) break;
    at = next > low && next < high ? next : (low + high) / 2;
  }
  if (end - at < 1e-6)
    throw new DetectorError(
      'training images',
      'are all classified rightly and surely: no temperature is best',
    );
  return Math.exp(at);
}

/** Σ over images of the mean gap under the softmax at an inverse temperature, and of its variance, which is the slope's own. */
function slopeOf(gaps: Float32Array, classes: number, inverse: number) {
  let [slope, curvature] = [0, 0];
  for (let first = 0; first < gaps.length; first += classes) {
    let largest = gaps[first];
    for (let c = first + 1; c < first + classes; c++) if (gaps[c] > largest) largest = gaps[c];
    let [sum, weighted, squares] = [0, 0, 0];
    for (let c = first; c < first + classes; c++) {
      const p = Math.exp(inverse * (gaps[c] - largest));
      sum += p;
      weighted += p * gaps[c];
      squares += p * gaps[c] * gaps[c];
    }
    const mean = weighted / sum;
    slope += mean;
    curvature += squares / sum - mean * mean;
  }
  return { slope, curvature };
}
