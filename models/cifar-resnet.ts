import { Architecture, type Family, imagenetNormalization } from './architecture.ts';
import { kaimingNormal, pytorchDefault } from './initial.ts';
import { originalNames, residualSize } from './resnet.ts';
import { buildResidual, readResidual } from './structures/residual-structure.ts';

const depths = [20, 32, 44, 56, 110];

/**
 * The CIFAR-10 ResNets of He et al. 2016, section 4.2: 6n + 2 layers with 16, 32 and 64 channels, as in
 * https://github.com/akamaster/pytorch_resnet_cifar10, which published weights for them.
 */
export const cifarResnet: Family = {
  names: depths.map((depth) => `resnet${depth}`),

  named(name) {
    const depth = depths.find((depth) => name === `resnet${depth}`);
    if (!depth) return undefined;
    return new Architecture({
      name,
      defaultNormalization: imagenetNormalization,
      detectorOnLogits: true,
      initialization: {
        convolution: kaimingNormal('in'),
        linear: kaimingNormal('in'),
        bias: pytorchDefault,
      },
      forward(network, image, classes) {
        const blocks = new Array(3).fill((depth - 2) / 6);
        const size = residualSize(
          { widths: [16, 32, 64], blocks, bottleneck: false, shortcuts: false },
          classes,
        );
        buildResidual(network, image, size, originalNames, { stemStride: 1, plainShortcut: 'zeros' });
      },
    });
  },

  recognize(shapes) {
    const stages = readResidual(shapes, originalNames)?.stages ?? [];
    const depth = 6 * (stages[0]?.length ?? 0) + 2;
    return stages.length === 3 && depths.includes(depth) ? `resnet${depth}` : undefined;
  },
};
