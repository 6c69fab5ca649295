import { originalRules } from '../densenet.ts';
import { residualDepth } from '../structures/residual-structure.ts';
import type { Evidence } from './evidence.ts';
import { denseNetFamily, residualFamily } from './family.ts';
import { cifar10OfImages } from './inputs.ts';
import { denseNetName, resNetName } from './naming.ts';
import { resNetNames } from './torchvision.ts';

/** https://github.com/bearpaw/pytorch-classification, `models/cifar`. */

const input = () => cifar10OfImages;
const isTrainingState = ({ wrapper, prefix }: Evidence) => wrapper === 'state_dict' && prefix === 'module.';

const resNet = residualFamily({
  name: 'bearpaw',
  names: resNetNames,
  rules: ({ stem: [{ kernel }], stages }) =>
    kernel === 3 && stages.length === 3 ? { stemStride: 1, fixedPool: 8 } : undefined,
  architecture: (size) => resNetName(size, 'resnet-'),
  comesAs: isTrainingState,
  input,
});

const preactivation = residualFamily({
  name: 'bearpaw',
  names: {
    ...resNetNames,
    stem: [{ convolution: 'conv1' }],
    shortcut: { convolution: 'downsample.0' },
    lastNorm: 'bn',
  },
  rules: ({ stem: [{ kernel }], stages, lastNorm }) =>
    kernel === 3 && stages.length === 3 && lastNorm
      ? { preactivation: true, stemStride: 1, fixedPool: 8 }
      : undefined,
  architecture: (size) => `preresnet-${residualDepth(size)}`,
  input,
});

const denseNet = denseNetFamily({
  name: 'bearpaw',
  names: {
    stem: 'conv1',
    layer: (block, layer) => `dense${block + 1}.${layer}`,
    norm: (n) => `bn${n}`,
    convolution: (n) => `conv${n}`,
    transition: (block) => ({
      norm: `trans${block + 1}.bn1`,
      convolution: `trans${block + 1}.conv1`,
      pool: `trans${block + 1}`,
    }),
    lastNorm: 'bn',
    head: 'fc',
  },
  rules: ({ blocks }) => (blocks.length === 3 ? { ...originalRules, fixedPool: 8 } : undefined),
  architecture: (size) => denseNetName(size, 'densenet-'),
  input,
});

export const bearpaw = [resNet, preactivation, denseNet];
