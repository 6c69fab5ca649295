import { Architecture, type Family, imagenetNormalisation } from './architecture.ts';
import { kaimingNormal, pytorchDefault } from './initial.ts';
import { basicBlock, countBlocks, residualNetwork, type Shortcut } from './resnet.ts';

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
      defaultNormalisation: imagenetNormalisation,
      detectorOnLogits: true,
      initialisation: {
        convolution: kaimingNormal('in'),
        linear: kaimingNormal('in'),
        bias: pytorchDefault,
      },
      forward(network, image, classes) {
        const stages = [16, 32, 64].map((channels) => ({ count: (depth - 2) / 6, channels }));
        residualNetwork(network, image, stages, (...args) => basicBlock(...args, subsampling), classes);
      },
    });
  },

  recognise(shapes) {
    const [blocks, ...others] = countBlocks(shapes);
    const depth = 6 * blocks + 2;
    return others.length === 2 && depths.includes(depth) ? `resnet${depth}` : undefined;
  },
};

/** Option A of the paper: no parameters; every second pixel, and zeros for the new channels. */
const subsampling: Shortcut = (network, path, x, channels) =>
  network.padChannels(path, network.subsample(`${path}.subsample`, x), (channels - x.channels) / 2);
