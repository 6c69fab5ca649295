import { originalNames } from '../resnet.ts';
import { residualDepth } from '../structures/residual-structure.ts';
import { residualFamily } from './family.ts';
import { cifarWithImagenetNormalization } from './inputs.ts';

/** https://github.com/akamaster/pytorch_resnet_cifar10: shortcuts without weights. */
export const akamaster = [
  residualFamily({
    name: 'akamaster',
    names: originalNames,
    rules: ({ stages }) =>
      stages.length === 3 && !stages.flat().some(({ shortcut }) => shortcut)
        ? { stemStride: 1, plainShortcut: 'zeros' }
        : undefined,
    architecture: (size) => `resnet${residualDepth(size)}`,
    input: () => cifarWithImagenetNormalization,
  }),
];
