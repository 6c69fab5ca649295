import { expect } from 'chai';
import { fitMethods } from '../../../src/detectors/methods/fit-methods.ts';
import { chooseMethods } from '../../../src/detectors/methods/method-registry.ts';
import { Training } from '../../../src/detectors/methods/training.ts';
import { Network, trainingOf } from './features.ts';

describe('banks of training images', () => {
  const network = new Network({ classes: 5, width: 24 });
  const train = trainingOf(network, network.make(900, 2));

  it('of a stated size: a note says what a coreset loses, less the larger it is', async () => {
    const notes = async (bank?: number) => {
      const { fitted } = await fitMethods(chooseMethods(['knn']), new Training(train), { bank });
      return fitted[0].notes?.[0];
    };
    expect(await notes()).to.equal(undefined);
    const share = (note: string | undefined) => {
      const found = /^a coreset of \d+ of 900 training images, k = (\d+): \d+ others .* of (\d\.\d{3})$/.exec(
        note!,
      );
      expect(found, note).to.not.equal(null);
      return { k: Number(found![1]), correlation: Number(found![2]) };
    };
    const [small, large] = [share(await notes(40)), share(await notes(600))];
    expect(small.k).to.equal(2);
    expect(large.k).to.equal(33);
    expect(small.correlation).to.be.within(0.5, large.correlation);
    expect(large.correlation).to.be.above(0.95);
  });

  it('too large for a file: it says what it would take, and how many fit, before it reads any', async () => {
    const huge = {
      ...train,
      count: 1_281_167,
      width: 2048,
      headInput: () => {
        throw new Error('was read');
      },
    };
    const { refused } = await fitMethods(chooseMethods(['knn']), new Training(huge));
    expect(refused[0].reason).to.equal(
      'a bank of 1281167 training images: takes 9.8 GiB, and a file of methods holds 1.75; keep a coreset with `bank`, of at most 229376',
    );
  });
});
