import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { reference } from '../reference.ts';
import { checkZooNetwork } from './zoo-network.ts';

/** Every network of the golden files, each as the checkpoint that its authors publish. */
describe('published networks', () => {
  const root = process.env.LA_OOD_REFERENCE;
  const files = root ? readdirSync(join(root, 'zoo', 'networks')) : ['torchvision-resnet18.json'];
  for (const file of files)
    it(file.replace(/\.json.*$/, ''), async function () {
      await checkZooNetwork(reference(this, 'zoo', 'networks', file), file.replace(/\.json.*$/, ''));
    });
});
