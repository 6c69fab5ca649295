import { Architecture, type Family, imagenetNormalisation } from './architecture.ts';
import { kaimingNormal, normal, zero } from './initial.ts';
import type { Network, Value } from './network.ts';

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

/** VGG with batch normalisation and a 512-wide classifier, for 32 × 32 images (Simonyan and Zisserman 2015). */
export const vgg: Family = {
  names: Object.keys(stages),

  named(name) {
    if (!Object.hasOwn(stages, name)) return undefined;
    return new Architecture({
      name,
      defaultNormalisation: imagenetNormalisation,
      detectorOnLogits: false,
      initialisation: { convolution: kaimingNormal('out'), linear: normal(0.01), bias: zero },
      forward(network, image, classes) {
        const features = convolutions(network, image, stages[name]);
        classifier(network, network.flatten(features), classes);
      },
    });
  },

  recognise(shapes) {
    const isConvolution = (key: string) =>
      /^features\.\d+\.weight$/.test(key) && shapes.get(key)!.length === 4;
    const depth = [...shapes.keys()].filter(isConvolution).length;
    return Object.keys(stages).find((name) => stages[name].flat().length === depth);
  },
};

/** `features`, an `nn.Sequential`: the index of a module counts every one before it. The 1 × 1 average-pool that the
 * original ends with changes nothing and is left out. */
function convolutions(network: Network, image: Value, stages: readonly (readonly number[])[]): Value {
  let x = image;
  let index = 0;
  const next = () => `features.${index++}`;
  for (const stage of stages) {
    for (const channels of stage) {
      x = network.convolution(next(), x, channels, { bias: true });
      x = network.batchNorm(next(), x);
      x = network.relu(x, next());
    }
    x = network.maxPool(next(), x, 2);
  }
  return x;
}

function classifier(network: Network, features: Value, classes: number): void {
  let x = features;
  for (const index of [0, 3]) {
    x = network.linear(`classifier.${index}`, x, 512);
    x = network.relu(x, `classifier.${index + 1}`);
    x = network.dropout(`classifier.${index + 2}`, x, 0.5);
  }
  network.logits('classifier.6', x, classes);
}
