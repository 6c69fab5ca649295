import { Architecture, type Family, imagenetNormalization } from './architecture.ts';
import { kaimingNormal, pytorchDefault, zero } from './initial.ts';
import {
  buildDenseNet,
  type DenseNetNames,
  type DenseNetRules,
  type DenseNetSize,
} from './structures/densenet-structure.ts';
import type { ConvolutionSize } from './structures/layers.ts';

/** Three blocks of (depth − 4) / 3 convolutions each, or of half as many bottlenecks. */
interface Size {
  readonly depth: number;
  readonly bottleneck: boolean;
  /** Channels that every layer adds. */
  readonly growth: number;
  /** The share of the channels that a transition keeps. */
  readonly reduction: number;
}

const defaults: Size = { depth: 100, bottleneck: true, growth: 12, reduction: 0.5 };

/**
 * DenseNet and DenseNet-BC for 32 × 32 images (Huang et al. 2017), as in
 * https://github.com/andreasveit/densenet-pytorch. The name holds what differs from DenseNet-BC with growth 12 and
 * reduction .5: `densenet100`, `densenet190-k40`, `densenet40-plain`, `densenet40-plain-k24-r1`.
 */
export const densenet: Family = {
  names: ['densenet100', 'densenet40-plain'],

  named(name) {
    const size = parseName(name);
    if (!size || !isBuildable(size)) return undefined;
    return new Architecture({
      name: nameOf(size),
      defaultNormalization: imagenetNormalization,
      detectorOnLogits: true,
      initialization: { convolution: kaimingNormal('out'), linear: pytorchDefault, bias: zero },
      forward: (network, image, classes) =>
        buildDenseNet(network, image, sizeOf(size, classes), originalNames, originalRules),
    });
  },

  recognize(shapes) {
    let layers = 0;
    while (shapes.has(`block1.layer.${layers}.conv1.weight`)) layers++;
    const bottleneck = shapes.has('block1.layer.0.conv2.weight');
    const growth = shapes.get(`block1.layer.0.conv${bottleneck ? 2 : 1}.weight`)?.[0];
    if (!growth) return undefined;
    const depth = 3 * layers * (bottleneck ? 2 : 1) + 4;
    const size = { depth, bottleneck, growth, reduction: recognizeReduction(shapes) };
    return isBuildable(size) ? nameOf(size) : undefined;
  },
};

/** Of the original's DenseNets, and of andreasveit/densenet-pytorch, which they are taken from. */
export const originalNames: DenseNetNames = {
  stem: 'conv1',
  layer: (block, layer) => `block${block + 1}.layer.${layer}`,
  norm: (n) => `bn${n}`,
  convolution: (n) => `conv${n}`,
  transition: (block) => ({
    norm: `trans${block + 1}.bn1`,
    convolution: `trans${block + 1}.conv1`,
    pool: `trans${block + 1}`,
  }),
  lastNorm: 'bn1',
  head: 'fc',
};

export const originalRules: DenseNetRules = {
  stemStride: 1,
  stemPool: false,
  newChannels: 'behind',
  transitionActivation: true,
};

function sizeOf(size: Size, classes: number): DenseNetSize {
  const { bottleneck, growth, reduction } = size;
  const convolution = (channels: number, kernel: number, inputs: number) => ({
    ...{ channels, inputs, kernel, bias: false },
  });
  let channels = 2 * growth;
  const transitions: ConvolutionSize[] = [];
  const blocks = [1, 2, 3].map((block) => {
    const layers = Array.from({ length: layersPerBlock(size) }, () => {
      const from = channels;
      channels += growth;
      return bottleneck
        ? [convolution(4 * growth, 1, from), convolution(growth, 3, 4 * growth)]
        : [convolution(growth, 3, from)];
    });
    if (block < 3) {
      const kept = Math.floor(channels * reduction);
      transitions.push(convolution(kept, 1, channels));
      channels = kept;
    }
    return layers;
  });
  const stem = convolution(2 * growth, 3, 3);
  return { stem, stemNorm: false, blocks, transitions, classes };
}

function layersPerBlock({ depth, bottleneck }: Size): number {
  return (depth - 4) / (bottleneck ? 6 : 3);
}

/** The name may come from a file: it must not make a graph without end. */
const MAX_LAYERS_PER_BLOCK = 500;

function isBuildable(size: Size): boolean {
  const layers = layersPerBlock(size);
  const isDepth = Number.isInteger(layers) && layers > 0 && layers <= MAX_LAYERS_PER_BLOCK;
  return isDepth && size.growth > 0 && size.reduction > 0;
}

function nameOf({ depth, bottleneck, growth, reduction }: Size): string {
  const plain = bottleneck ? '' : '-plain';
  const k = growth === defaults.growth ? '' : `-k${growth}`;
  const r = reduction === defaults.reduction ? '' : `-r${reduction}`;
  return `densenet${depth}${plain}${k}${r}`;
}

function parseName(name: string): Size | undefined {
  const match = name.match(/^densenet(\d+)(-plain)?(?:-k(\d+))?(?:-r(1|0?\.\d+))?$/);
  if (!match) return undefined;
  const [, depth, plain, growth, reduction] = match;
  return {
    depth: Number(depth),
    bottleneck: !plain,
    growth: Number(growth ?? defaults.growth),
    reduction: Number(reduction ?? defaults.reduction),
  };
}

/** The roundest reduction that explains the transitions' shapes, which show it only after rounding down. */
function recognizeReduction(shapes: ReadonlyMap<string, readonly number[]>): number {
  const transitions = [1, 2]
    .map((i) => shapes.get(`trans${i}.conv1.weight`))
    .filter((shape) => shape?.length === 4);
  const fractions = (parts: number) => Array.from({ length: parts }, (_, i) => (i + 1) / parts);
  const explains = (reduction: number) =>
    transitions.every((shape) => shape![0] === Math.floor(shape![1] * reduction));
  return [0.5, ...fractions(10), ...fractions(100)].find(explains) ?? defaults.reduction;
}
