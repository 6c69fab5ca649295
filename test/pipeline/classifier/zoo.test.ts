import { checkZooNetwork } from '../../golden/zoo-network.ts';
import { reference } from '../../reference.ts';

/** Small ones of the published networks; all of them are in `test/golden`. */
describe('published networks, a few', () => {
  for (const name of ['chenyaofo-cifar10_resnet20-float16', 'xternalz-WRN-16-4', 'odin-densenet10'])
    it(name, async function () {
      await checkZooNetwork(reference(this, 'zoo', 'networks', `${name}.json`), name);
    });
});
