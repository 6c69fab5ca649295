import { Architecture, type Family, imagenetNormalization } from './architecture.ts';
import { kaimingNormal, normal, zero } from './initial.ts';
import { buildVgg, readVgg, type VggSize } from './structures/vgg-structure.ts';

/** Channels of the convolutions between two poolings. */
const stages: Record<string, readonly (readonly number[])[]> = {
  vgg11: [[64], [128], [256, 256], [512, 512], [512, 512]],
  vgg13: [
    [64, 64],
    [128, 128],
    [256, 256],
    [512, 512],
    [512, 512],
  ],
  vgg16: [
    [64, 64],
    [128, 128],
    [256, 256, 256],
    [512, 512, 512],
    [512, 512, 512],
  ],
  vgg19: [
    [64, 64],
    [128, 128],
    [256, 256, 256, 256],
    [512, 512, 512, 512],
    [512, 512, 512, 512],
  ],
};

const WIDTH = 512;
const names = { features: 'features', head: ['classifier.0', 'classifier.3', 'classifier.6'] };
const rules = { pool: 'none', dropout: 0.5 } as const;

/** VGG with batch normalisation and a 512-wide classifier, for 32 × 32 images (Simonyan and Zisserman 2015). */
export const vgg: Family = {
  names: Object.keys(stages),

  named(name) {
    if (!Object.hasOwn(stages, name)) return undefined;
    return new Architecture({
      name,
      defaultNormalization: imagenetNormalization,
      detectorOnLogits: false,
      initialization: { convolution: kaimingNormal('out'), linear: normal(0.01), bias: zero },
      forward: (network, image, classes) =>
        buildVgg(network, image, sizeOf(stages[name], classes), names, rules),
    });
  },

  recognize(shapes) {
    const read = readVgg(shapes, names);
    return Object.keys(stages).find((name) => read && `${stages[name].flat()}` === `${widths(read)}`);
  },
};

function sizeOf(stages: readonly (readonly number[])[], classes: number): VggSize {
  const widths = [3, ...stages.flat()];
  let index = 0;
  return {
    norm: true,
    stages: stages.map((stage) =>
      stage.map((channels) => ({ channels, inputs: widths[index++], kernel: 3, bias: true })),
    ),
    head: [WIDTH, WIDTH, classes].map((features) => ({ features, inputs: WIDTH, bias: true })),
  };
}

const widths = ({ stages }: VggSize) => stages.flat().map(({ channels }) => channels);
