import { DetectorError } from '../../common/errors.ts';
import { RandomState } from '../../common/random.ts';
import type { Method } from './method.ts';
import { addSoftmaxRest } from './operators.ts';

/** Training images that the temperature is fitted on, at most. */
const IMAGES = 20_000;

/** Halvings of the range of temperatures, which is a million wide. */
const STEPS = 60;

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
    for (const image of new RandomState(0).permutation(count).subarray(0, IMAGES)) isChosen[image] = 1;
    const logits: Float32Array[] = [];
    const own: number[] = [];
    for (const { start, values } of training.logits())
      for (let row = 0; row * classes < values.length; row++)
        if (isChosen[start + row]) {
          logits.push(values.slice(row * classes, (row + 1) * classes));
          own.push(labels[start + row]);
        }
    // The slope of the likelihood in 1 / T rises: its zero is found by halving, on a scale of logarithms.
    let [low, high] = [Math.log(1e-3), Math.log(1e3)];
    const end = high;
    for (let step = 0; step < STEPS; step++) {
      const middle = (low + high) / 2;
      if (slope(logits, own, Math.exp(middle)) < 0) low = middle;
      else high = middle;
    }
    if (high === end)
      throw new DetectorError(
        'training images',
        'are all classified rightly and surely: no temperature is best',
      );
    const inverse = Math.exp(low);
    return {
      notes: [`temperature ${(1 / inverse).toFixed(3)}`],
      addScore: (nodes, values) =>
        addSoftmaxRest(nodes, nodes.node('Mul', [values.logits, nodes.float('inverse', inverse)], 'scaled')),
    };
  },
};

/** Σ over images of the mean logit under the softmax at an inverse temperature, less the label's logit. */
function slope(logits: readonly Float32Array[], labels: readonly number[], inverse: number): number {
  let total = 0;
  logits.forEach((z, image) => {
    let largest = z[0];
    for (let c = 1; c < z.length; c++) largest = Math.max(largest, z[c]);
    let sum = 0;
    let weighted = 0;
    for (let c = 0; c < z.length; c++) {
      const p = Math.exp(inverse * (z[c] - largest));
      sum += p;
      weighted += p * z[c];
    }
    total += weighted / sum - z[labels[image]];
  });
  return total;
}
