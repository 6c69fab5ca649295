import { Architecture, type Family, imagenetNormalisation } from './architecture.ts';
import { kaimingNormal, pytorchDefault, zero } from './initial.ts';
import type { Network, Value } from './network.ts';

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
      defaultNormalisation: imagenetNormalisation,
      detectorOnLogits: true,
      initialisation: { convolution: kaimingNormal('out'), linear: pytorchDefault, bias: zero },
      forward: (network, image, classes) => forward(network, image, size, classes),
    });
  },

  recognise(shapes) {
    let layers = 0;
    while (shapes.has(`block1.layer.${layers}.conv1.weight`)) layers++;
    const bottleneck = shapes.has('block1.layer.0.conv2.weight');
    const growth = shapes.get(`block1.layer.0.conv${bottleneck ? 2 : 1}.weight`)?.[0];
    if (!growth) return undefined;
    const depth = 3 * layers * (bottleneck ? 2 : 1) + 4;
    const size = { depth, bottleneck, growth, reduction: recogniseReduction(shapes) };
    return isBuildable(size) ? nameOf(size) : undefined;
  },
};

function forward(network: Network, image: Value, size: Size, classes: number): void {
  let x = network.convolution('conv1', image, 2 * size.growth);
  for (const i of [1, 2, 3]) {
    for (let j = 0; j < layersPerBlock(size); j++) x = denseLayer(network, `block${i}.layer.${j}`, x, size);
    if (i < 3) x = transition(network, `trans${i}`, x, size.reduction);
  }
  x = network.relu(network.batchNorm('bn1', x));
  network.logits('fc', network.globalAveragePool(x), classes);
}

/** Adds `growth` channels behind those of `x`. */
function denseLayer(network: Network, path: string, x: Value, { bottleneck, growth }: Size): Value {
  let y = network.relu(network.batchNorm(`${path}.bn1`, x));
  if (bottleneck) {
    y = network.convolution(`${path}.conv1`, y, 4 * growth, { kernel: 1 });
    y = network.relu(network.batchNorm(`${path}.bn2`, y));
  }
  y = network.convolution(`${path}.${bottleneck ? 'conv2' : 'conv1'}`, y, growth);
  return network.concat(path, x, y);
}

/** Fewer channels, and half the height and width. */
function transition(network: Network, path: string, x: Value, reduction: number): Value {
  const y = network.relu(network.batchNorm(`${path}.bn1`, x));
  const channels = Math.floor(x.channels * reduction);
  return network.averagePool(path, network.convolution(`${path}.conv1`, y, channels, { kernel: 1 }), 2);
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
function recogniseReduction(shapes: ReadonlyMap<string, readonly number[]>): number {
  const transitions = [1, 2]
    .map((i) => shapes.get(`trans${i}.conv1.weight`))
    .filter((shape) => shape?.length === 4);
  const fractions = (parts: number) => Array.from({ length: parts }, (_, i) => (i + 1) / parts);
  const explains = (reduction: number) =>
    transitions.every((shape) => shape![0] === Math.floor(shape![1] * reduction));
  return [0.5, ...fractions(10), ...fractions(100)].find(explains) ?? defaults.reduction;
}
