import { UsageError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import { activations } from '../network.ts';
import { exportItself } from './advice.ts';
import { residualFamily } from './family.ts';
import { imagenet224 } from './inputs.ts';
import { resNetName } from './naming.ts';

/** ResNetForImageClassification of https://github.com/huggingface/transformers; what `config.json` says is followed. */
export const transformers = [
  residualFamily({
    name: 'transformers',
    names: {
      stem: [
        {
          convolution: 'resnet.embedder.embedder.convolution',
          norm: 'resnet.embedder.embedder.normalization',
        },
      ],
      stemPool: 'resnet.embedder.pooler',
      stage: (stage) => `resnet.encoder.stages.${stage}.layers`,
      convolution: (layer) => `layer.${layer - 1}.convolution`,
      norm: (layer) => `layer.${layer - 1}.normalization`,
      shortcut: { convolution: 'shortcut.convolution', norm: 'shortcut.normalization' },
      head: 'classifier.1',
    },
    rules: ({ stem: [{ kernel }] }, { configuration }) => ({
      stemStride: 2,
      // hidden_act is that of the stem and of the ends of blocks alone.
      innerActivation: 'relu',
      stemPool: 'max',
      stemPadding: Math.floor(kernel / 2),
      ...(configuration?.downsampleInFirstStage && { firstStageStride: 2 }),
      ...(configuration?.downsampleInBottleneck && { strideIn: () => 1 }),
    }),
    activation: ({ configuration }) => {
      const name = configuration?.activation ?? 'relu';
      const found = activations.find((known) => known === (name === 'swish' ? 'silu' : name));
      if (found) return found;
      throw new UsageError(
        'config.json',
        `has the hidden_act ${printable(name)}, and not ${activations.join(', ')}`,
        exportItself,
      );
    },
    architecture: (size) => resNetName(size).replace(/^resnet/, 'resnet-'),
    isPublishedAs: ({ configuration }) => (configuration?.modelType ?? 'resnet') === 'resnet',
    input: () => imagenet224,
  }),
];
