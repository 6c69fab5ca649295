import { expect } from 'chai';
import { writeFeatures } from '../../converters/hdf5/write-features.ts';
import { imageHashes } from '../../src/pipeline/features/image-hashes.ts';
import { temporaryFolder } from '../data/images.ts';

describe('What tells images of a feature file apart', () => {
  const folder = temporaryFolder();
  const [count, classes] = [1_100, 1_000];

  it('is all of their logits, in little memory however many classes there are', async () => {
    // Each image is 500 images later there again; of three more a single logit is another, and lies next to it.
    const logits = Float32Array.from(
      { length: count * classes },
      (_, i) => (((i % (500 * classes)) * 7919) % 100_003) / 997,
    );
    for (const row of [1, 450, 1_000]) {
      const last = (row + 1) * classes - 1;
      logits[last] += 2 ** -16;
      expect(logits[last]).to.not.equal(logits[last] - 2 ** -16);
    }
    const path = folder.at('ind_test.hdf5');
    const attributes = { logits: 'logits' };
    await writeFeatures(
      path,
      { widths: [classes, 1], taps: ['logits', 'later'], count, attributes },
      (append) => append([logits, new Float32Array(count)]),
    );
    const before = process.memoryUsage().heapUsed;
    const hashes = await imageHashes(path);
    expect(process.memoryUsage().heapUsed - before).to.be.below(4e6);
    expect(hashes).to.have.length(count);
    const unlike = hashes.flatMap((hash, row) => (row >= 500 && hash !== hashes[row - 500] ? [row] : []));
    expect(unlike).to.deep.equal([501, 950, 1_000]);
    expect(new Set(hashes).size).to.equal(503);
  });
});
