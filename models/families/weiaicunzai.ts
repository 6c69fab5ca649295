import { residualDepth } from '../structures/residual-structure.ts';
import { denseNetFamily, residualFamily, vggFamily } from './family.ts';
import { cifar100 } from './inputs.ts';
import { denseNetName, resNetName, vggDepth } from './naming.ts';
import { isWideHead } from './small-images.ts';

/** https://github.com/weiaicunzai/pytorch-cifar100. */

const input = () => ({
  ...cifar100,
  mean: [0.5070751592371323, 0.48654887331495095, 0.4409178433670343],
  std: [0.2673342858792401, 0.2564384629170883, 0.27615047132568404],
});

const resNet = residualFamily({
  name: 'weiaicunzai',
  names: {
    stem: [{ convolution: 'conv1.0', norm: 'conv1.1' }],
    stage: (stage) => `conv${stage + 2}_x`,
    convolution: (layer) => `residual_function.${3 * layer - 3}`,
    norm: (layer) => `residual_function.${3 * layer - 2}`,
    shortcut: { convolution: 'shortcut.0', norm: 'shortcut.1' },
    head: 'fc',
  },
  rules: ({ stages }) => (stages.length === 4 ? { stemStride: 1 } : undefined),
  architecture: (size) => resNetName(size),
  input,
});

/** Bottlenecks have their stride in the first convolution. */
const preactivation = residualFamily({
  name: 'weiaicunzai',
  names: {
    stem: [{ convolution: 'pre.0', norm: 'pre.1' }],
    stage: (stage) => `stage${stage + 1}`,
    convolution: (layer) => `residual.${3 * layer - 1}`,
    norm: (layer) => `residual.${3 * layer - 3}`,
    shortcut: { convolution: 'shortcut' },
    head: 'linear',
  },
  rules: ({ stages }) =>
    stages.length === 4 ? { preactivation: true, stemStride: 1, strideIn: () => 1 } : undefined,
  architecture: (size) => `preactresnet${residualDepth(size)}`,
  input,
});

/** The last block alone has another name, and transitions have no activation. */
const denseNet = denseNetFamily({
  name: 'weiaicunzai',
  names: {
    stem: 'conv1',
    layer: (block, layer) =>
      `features.${block === 3 ? 'dense_block3' : `dense_block_layer_${block}`}.bottle_neck_layer_${layer}`,
    norm: (n) => `bottle_neck.${3 * n - 3}`,
    convolution: (n) => `bottle_neck.${3 * n - 1}`,
    transition: (block) => ({
      norm: `features.transition_layer_${block}.down_sample.0`,
      convolution: `features.transition_layer_${block}.down_sample.1`,
      pool: `features.transition_layer_${block}.down_sample.2`,
    }),
    lastNorm: 'features.bn',
    head: 'linear',
  },
  rules: ({ blocks }) =>
    blocks.length === 4
      ? { stemStride: 1, stemPool: false, newChannels: 'behind', transitionActivation: false }
      : undefined,
  architecture: (size) => denseNetName(size),
  input,
});

const vgg = vggFamily({
  name: 'weiaicunzai',
  names: { features: 'features', head: ['classifier.0', 'classifier.3', 'classifier.6'] },
  rules: ({ stages, norm, head: [first] }) =>
    norm && isWideHead(first, stages) ? { pool: 'none', dropout: 0.5 } : undefined,
  architecture: (size) => `vgg${vggDepth(size)}`,
  comesAs: (_, { classes }) => classes === 100,
  input,
});

export const weiaicunzai = [resNet, preactivation, denseNet, vgg];
