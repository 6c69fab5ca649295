import type { DenseNetSize } from '../structures/densenet-structure.ts';
import type { ResidualRules, ResidualSize } from '../structures/residual-structure.ts';
import type { VggSize } from '../structures/vgg-structure.ts';
import type { Evidence } from './evidence.ts';
import { denseNetFamily, residualFamily, vggFamily } from './family.ts';
import { cifar10, cifar10OfImages, cifar100, cifarWithImagenetNormalization } from './inputs.ts';
import { denseNetName, resNetName, vggDepth } from './naming.ts';
import { denseNetNames, resNetNames } from './torchvision.ts';

/**
 * torchvision's networks with another stem, for images of 32 × 32. Their keys are the same, and what comes behind the
 * stem's convolution is not: nothing in a bare file tells one from another.
 */

const head = ['classifier.0', 'classifier.3', 'classifier.6'];
const isSmallStem = ({ stem: [{ kernel }], stages }: ResidualSize) => kernel === 3 && stages.length === 4;
/** ImageNet's 4,096 behind a map of one pixel; the original's and chenyaofo's heads are as wide as the map. */
export const isWideHead = (first: VggSize['head'][number], stages: VggSize['stages']) =>
  'features' in first && first.inputs === stages[4].at(-1)!.channels && first.features === 4096;
const isDenseNet = ({ stem: { kernel }, stemNorm }: DenseNetSize) => kernel === 3 && stemNorm;
const denseRules = { stemStride: 1, newChannels: 'behind', transitionActivation: true } as const;

const resNet = (
  name: string,
  rules: ResidualRules,
  more: { comesAs?: (evidence: Evidence) => boolean } = {},
) =>
  residualFamily({
    name,
    names: resNetNames,
    rules: (size) => (isSmallStem(size) ? rules : undefined),
    architecture: (size) => resNetName(size),
    input: ({ classes }) => (classes === 100 ? cifar100 : cifar10),
    ...more,
  });

/** https://github.com/huyvnphan/PyTorch_CIFAR10: the max-pool stays. */
export const huyvnphan = [
  resNet('huyvnphan', { stemStride: 1, stemPool: 'max' }),
  denseNetFamily({
    name: 'huyvnphan',
    names: denseNetNames,
    rules: (size) => (isDenseNet(size) ? { ...denseRules, stemPool: true } : undefined),
    architecture: (size) => denseNetName(size),
    input: () => cifar10,
  }),
  vggFamily({
    name: 'huyvnphan',
    names: { features: 'features', head },
    rules: ({ stages, norm, head: [first] }) =>
      norm && isWideHead(first, stages) ? { pool: 'adaptive', dropout: 0.5 } : undefined,
    architecture: (size) => `vgg${vggDepth(size)}_bn`,
    comesAs: (_, { classes }) => classes === 10,
    input: () => cifar10,
  }),
];

const isSmallTimm = ({ configuration }: Evidence) =>
  configuration?.architecture !== undefined && configuration.inputSize?.[0] === 32;

/** https://github.com/edadaltocg/detectors: no max-pool; `config.json` names timm's network and 32 pixels. */
export const detectors = [
  resNet('detectors', { stemStride: 1 }, { comesAs: isSmallTimm }),
  denseNetFamily({
    name: 'detectors',
    names: denseNetNames,
    rules: (size) => (isDenseNet(size) ? { ...denseRules, stemPool: false } : undefined),
    architecture: (size) => `${denseNetName(size)}-without-pool`,
    input: () => cifar10,
  }),
  denseNetFamily({
    name: 'detectors',
    names: { ...denseNetNames, stemNorm: undefined },
    rules: ({ stem }) => (stem.kernel === 3 ? { ...denseRules, stemPool: false } : undefined),
    architecture: (size) => denseNetName(size),
    input: ({ classes }) => (classes === 100 ? cifar100 : cifar10),
  }),
  vggFamily({
    name: 'detectors',
    names: { features: 'features', head: ['head.fc'] },
    rules: () => ({ pool: 'adaptive' }),
    architecture: (size) => `vgg${vggDepth(size)}${size.norm ? '_bn' : ''}`,
    input: ({ classes }) => (classes === 100 ? cifar100 : cifar10),
  }),
];

/** https://github.com/vturrisi/solo-learn at 32 × 32: no max-pool, and a stem with a padding of 2. */
export const soloLearn = [resNet('solo-learn', { stemStride: 1, stemPadding: 2 })];

/** https://github.com/chengyangfu/pytorch-vgg-cifar10: a dropout before the first linear layer of 512. */
export const chengyangfu = [
  vggFamily({
    name: 'chengyangfu',
    names: { features: 'features', head: ['classifier.1', 'classifier.4', 'classifier.6'] },
    rules: ({ stages, head: [first] }) =>
      first.inputs === stages[4].at(-1)!.channels ? { pool: 'none' } : undefined,
    architecture: (size) => `vgg${vggDepth(size)}${size.norm ? '_bn' : ''}`,
    input: () => cifarWithImagenetNormalization,
  }),
];

/** https://github.com/chenyaofo/pytorch-cifar-models. */
export const chenyaofo = [
  residualFamily({
    name: 'chenyaofo',
    names: resNetNames,
    rules: ({ stem: [{ kernel }], stages }) =>
      kernel === 3 && stages.length === 3 ? { stemStride: 1 } : undefined,
    architecture: (size) => resNetName(size),
    input: ({ classes }) => (classes === 100 ? cifar100 : cifar10OfImages),
  }),
  vggFamily({
    name: 'chenyaofo',
    names: { features: 'features', head },
    rules: ({ stages, norm, head: [first, second] }) =>
      norm && first.inputs === stages[4].at(-1)!.channels && second.inputs === first.inputs
        ? { pool: 'none', dropout: 0.5 }
        : undefined,
    architecture: (size) => `vgg${vggDepth(size)}_bn`,
    input: ({ classes }) => (classes === 100 ? cifar100 : cifar10OfImages),
  }),
];
