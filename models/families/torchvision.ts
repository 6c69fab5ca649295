import type { DenseNetNames } from '../structures/densenet-structure.ts';
import type { ResidualNames, ResidualSize } from '../structures/residual-structure.ts';
import { denseNetFamily, residualFamily, vggFamily } from './family.ts';
import { imagenet224 } from './inputs.ts';
import { denseNetName, resNetName, vggDepth } from './naming.ts';
import { isVariant } from './timm-variants.ts';

/** https://github.com/pytorch/vision; timm (without its variants) and OpenOOD at 224 pixels are the same networks. */

export const resNetNames: ResidualNames = {
  stem: [{ convolution: 'conv1', norm: 'bn1' }],
  stemPool: 'maxpool',
  stage: (stage) => `layer${stage + 1}`,
  convolution: (layer) => `conv${layer}`,
  norm: (layer) => `bn${layer}`,
  shortcut: { convolution: 'downsample.0', norm: 'downsample.1' },
  head: 'fc',
};

export const denseNetNames: DenseNetNames = {
  stem: 'features.conv0',
  stemNorm: 'features.norm0',
  stemPool: 'features.pool0',
  layer: (block, layer) => `features.denseblock${block + 1}.denselayer${layer + 1}`,
  norm: (n) => `norm${n}`,
  convolution: (n) => `conv${n}`,
  transition: (block) => ({
    norm: `features.transition${block + 1}.norm`,
    convolution: `features.transition${block + 1}.conv`,
    pool: `features.transition${block + 1}.pool`,
  }),
  lastNorm: 'features.norm5',
  head: 'classifier',
};

/** What the published files call the layers of DenseNets: torchvision renames them when it loads. */
const publishedNames: DenseNetNames = {
  ...denseNetNames,
  norm: (n) => `norm.${n}`,
  convolution: (n) => `conv.${n}`,
};

export const isImageNetStem = ({ stem, stages }: ResidualSize) => stem[0].kernel === 7 && stages.length === 4;

const input = () => imagenet224;

const resNet = residualFamily({
  name: 'torchvision',
  names: resNetNames,
  rules: (size) => (isImageNetStem(size) ? { stemStride: 2, stemPool: 'max' } : undefined),
  architecture: (size) => resNetName(size),
  isPublishedAs: (evidence) => !isVariant(evidence),
  input,
});

const denseNets = [denseNetNames, publishedNames].map((names) =>
  denseNetFamily({
    name: 'torchvision',
    names,
    rules: ({ stem, stemNorm }) =>
      stem.kernel === 7 && stemNorm
        ? { stemStride: 2, stemPool: true, newChannels: 'behind', transitionActivation: true }
        : undefined,
    architecture: (size) => denseNetName(size),
    input,
  }),
);

const vgg = vggFamily({
  name: 'torchvision',
  names: { features: 'features', head: ['classifier.0', 'classifier.3', 'classifier.6'] },
  rules: ({ stages, head: [first] }) =>
    first.inputs === 49 * stages[4].at(-1)!.channels ? { pool: 'adaptive', dropout: 0.5 } : undefined,
  architecture: (size) => `vgg${vggDepth(size)}${size.norm ? '_bn' : ''}`,
  input,
});

export const torchvision = [resNet, ...denseNets, vgg];
