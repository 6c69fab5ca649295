import { originalNames, originalRules } from '../densenet.ts';
import { denseNetFamily } from './family.ts';
import { cifarInBytes } from './inputs.ts';
import { denseNetName } from './naming.ts';

/** https://github.com/ShiyuLiang/odin-pytorch, the DenseNet-BC of OpenOOD, DICE and the original too. */
export const odin = [
  denseNetFamily({
    name: 'ODIN',
    names: originalNames,
    rules: ({ blocks }) => (blocks.length === 3 ? { ...originalRules, fixedPool: 8 } : undefined),
    architecture: (size) => denseNetName(size),
    comesAs: ({ modules }) => modules?.get('')?.type === 'densenet.DenseNet3',
    input: () => cifarInBytes,
  }),
];
