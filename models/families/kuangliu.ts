import { originalNames } from '../resnet.ts';
import { residualDepth } from '../structures/residual-structure.ts';
import type { Evidence } from './evidence.ts';
import { denseNetFamily, residualFamily, vggFamily } from './family.ts';
import { cifar10OfImages } from './inputs.ts';
import { denseNetName, resNetName, vggDepth } from './naming.ts';

/** https://github.com/kuangliu/pytorch-cifar, whose names many others have taken over. */

const input = () => cifar10OfImages;

/** `main.py` saves `net.state_dict()` of a network in `DataParallel`, under `net`. */
export const isSavedByMain = ({ wrapper, prefix }: Evidence) => wrapper === 'net' && prefix === 'module.';

const resNet = residualFamily({
  name: 'kuangliu',
  names: originalNames,
  rules: ({ stem: [{ kernel }], stages }) =>
    kernel <= 3 && (stages.length === 3 || stages.length === 4)
      ? { stemStride: 1, fixedPool: stages.length === 4 ? 4 : 8 }
      : undefined,
  architecture: (size) => resNetName(size, 'ResNet').replace('resnext', 'ResNeXt'),
  comesAs: isSavedByMain,
  input,
});

export const preactivationNames = {
  ...originalNames,
  stem: [{ convolution: 'conv1' }],
  shortcut: { convolution: 'shortcut.0' },
};

const preactivation = residualFamily({
  name: 'kuangliu',
  names: preactivationNames,
  rules: ({ stages }) =>
    stages.length === 4
      ? { preactivation: true, stemStride: 1, shortcutInput: () => 'activated', fixedPool: 4 }
      : undefined,
  architecture: (size) => `PreActResNet${residualDepth(size)}`,
  comesAs: isSavedByMain,
  input,
});

const denseNet = denseNetFamily({
  name: 'kuangliu',
  names: {
    stem: 'conv1',
    layer: (block, layer) => `dense${block + 1}.${layer}`,
    norm: (n) => `bn${n}`,
    convolution: (n) => `conv${n}`,
    transition: (block) => ({
      norm: `trans${block + 1}.bn`,
      convolution: `trans${block + 1}.conv`,
      pool: `trans${block + 1}`,
    }),
    lastNorm: 'bn',
    head: 'linear',
  },
  rules: ({ blocks }) =>
    blocks.length === 4
      ? { stemStride: 1, stemPool: false, newChannels: 'before', transitionActivation: true, fixedPool: 4 }
      : undefined,
  architecture: (size) => denseNetName(size, 'DenseNet'),
  comesAs: isSavedByMain,
  input,
});

const vgg = vggFamily({
  name: 'kuangliu',
  names: { features: 'features', head: ['classifier'] },
  rules: ({ stages, head: [first] }) =>
    first.inputs === stages[4].at(-1)!.channels ? { pool: 'none' } : undefined,
  architecture: (size) => `VGG${vggDepth(size)}`,
  comesAs: isSavedByMain,
  input,
});

export const kuangliu = [resNet, preactivation, denseNet, vgg];
