import type { ResidualNames } from '../structures/residual-structure.ts';
import type { Evidence } from './evidence.ts';
import { type PublishedFamily, residualFamily } from './family.ts';
import { cifar10, cifar10OfImages, cifar100, cifarInBytes, cifarPixels, type FamilyInput } from './inputs.ts';
import { wideResNetName } from './naming.ts';

/** Wide residual networks (Zagoruyko and Komodakis 2016) with the names of xternalz/WideResNet-pytorch. */

const names: ResidualNames = {
  stem: [{ convolution: 'conv1' }],
  stage: (stage) => `block${stage + 1}.layer`,
  convolution: (layer) => `conv${layer}`,
  norm: (layer) => `bn${layer}`,
  shortcut: { convolution: 'convShortcut' },
  lastNorm: 'bn1',
  head: 'fc',
};

const family = (
  name: string,
  input: (classes: number) => FamilyInput,
  more: Pick<PublishedFamily, 'comesAs' | 'unused'> = {},
) =>
  residualFamily({
    name,
    names,
    rules: ({ stages, lastNorm }) =>
      stages.length === 3 && lastNorm
        ? {
            preactivation: true,
            stemStride: 1,
            shortcutInput: () => 'activated',
            fixedPool: 8,
            headWithoutBias: true,
          }
        : undefined,
    architecture: wideResNetName,
    input: ({ classes }) => input(classes),
    isPublishedAs,
    ...more,
  });

/**
 * None of them keeps averaged weights beside its own. Implementations of FixMatch do (`ema_state_dict`), with these very
 * keys, and a leaky ReLU of slope 0.1.
 */
const isPublishedAs = ({ sets = [] }: Evidence) => sets.length <= 1;

const isBare = ({ wrapper, prefix }: Evidence) => wrapper === undefined && prefix === undefined;
const isTrainingState = ({ wrapper }: Evidence) => wrapper === 'state_dict';

/** They compute the same; their normalisations differ in the third digit, but for bearpaw's and RobustBench's. */
export const wideResNets = [
  family('OpenOOD', (classes) => (classes === 100 ? cifar100 : cifar10), {
    comesAs: (evidence) => evidence.format === 'zip' && isBare(evidence),
  }),
  family('outlier-exposure', () => cifarInBytes, { comesAs: isBare }),
  family('energy_ood', () => cifarInBytes, { comesAs: isBare }),
  family('bearpaw', () => cifar10OfImages, {
    comesAs: (evidence) => isTrainingState(evidence) && evidence.prefix === 'module.',
  }),
  family('xternalz', () => cifarInBytes, { comesAs: isTrainingState }),
  // Some have a further block that nothing runs, and most take pixels as they are.
  family('RobustBench', () => cifarPixels, { unused: /^sub_block1\./ }),
];

/** https://github.com/meliketoy/wide-resnet.pytorch: biases, the stride in the second convolution, raw shortcuts. */
export const meliketoy = [
  residualFamily({
    name: 'meliketoy',
    names: {
      ...names,
      stage: (stage) => `layer${stage + 1}`,
      shortcut: { convolution: 'shortcut.0' },
      head: 'linear',
    },
    rules: ({ stem: [{ bias }], stages, lastNorm }) =>
      bias && stages.length === 3 && lastNorm
        ? { preactivation: true, stemStride: 1, strideIn: () => 2, fixedPool: 8 }
        : undefined,
    architecture: wideResNetName,
    input: ({ classes }) => (classes === 100 ? cifar100 : cifar10OfImages),
  }),
];
