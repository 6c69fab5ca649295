import { expect } from 'chai';
import { groupSums } from '../../../src/detectors/methods/group-sums.ts';
import { Training } from '../../../src/detectors/methods/training.ts';
import { Network, trainingOf } from './features.ts';

const CLASSES = 3;
const WIDTH = 64;
const IMAGES = 20_000;

describe('sums of head inputs by group', () => {
  const network = new Network({ classes: CLASSES, width: WIDTH });
  const made = network.make(IMAGES, 2);
  const training = new Training(trainingOf(network, made));
  // Every seventh image is of no group.
  const groupOf = made.labels.map((label, i) => (i % 7 === 0 ? CLASSES : label));

  for (const normalized of [false, true])
    it(`add every image once, each time${normalized ? ', at length 1' : ''}`, async () => {
      const wanted = summed(normalized);
      // Threads that add to the same sum at once lose some of the images, others each time.
      for (let turn = 0; turn < 10; turn++) {
        const { sums, counts } = await groupSums(training, { normalized }, groupOf, CLASSES);
        expect([...counts]).to.deep.equal(wanted.counts);
        for (const [at, sum] of sums.entries()) {
          const tolerance = (normalized ? 1e-6 : 1e-12) * wanted.sums[at];
          expect(sum, `turn ${turn}, sum ${at}`).to.be.closeTo(wanted.sums[at], tolerance);
        }
      }
    });

  function summed(normalized: boolean) {
    const sums = new Array(CLASSES * WIDTH).fill(0);
    const counts = new Array(CLASSES).fill(0);
    for (let row = 0; row < IMAGES; row++) {
      const group = groupOf[row];
      if (group === CLASSES) continue;
      const values = made.headInput.subarray(row * WIDTH, (row + 1) * WIDTH);
      const length = normalized ? Math.hypot(...values) : 1;
      counts[group]++;
      for (let j = 0; j < WIDTH; j++) sums[group * WIDTH + j] += values[j] / length;
    }
    return { sums, counts };
  }
});
