import type { Network, Value } from '../network.ts';
import {
  type ConvolutionSize,
  convolutionAt,
  convolve,
  countFrom0,
  hasNorm,
  linearAt,
  type Shapes,
} from './layers.ts';

/** What a family calls the modules of a DenseNet. Blocks and layers count from 0. */
export interface DenseNetNames {
  readonly stem: string;
  readonly stemNorm?: string;
  readonly stemPool?: string;
  readonly layer: (block: number, layer: number) => string;
  /** Below a layer's own path: batch normalisations and convolutions, from 1. */
  readonly norm: (n: number) => string;
  readonly convolution: (n: number) => string;
  readonly transition: (block: number) => {
    readonly norm: string;
    readonly convolution: string;
    readonly pool: string;
  };
  readonly lastNorm: string;
  readonly head: string;
}

/** What the shapes show. */
export interface DenseNetSize {
  readonly stem: ConvolutionSize;
  readonly stemNorm: boolean;
  /** For each layer of each block one convolution, or the two of a bottleneck. */
  readonly blocks: readonly (readonly (readonly ConvolutionSize[])[])[];
  readonly transitions: readonly ConvolutionSize[];
  readonly classes: number;
}

/** What keys and shapes cannot show. */
export interface DenseNetRules {
  readonly stemStride: 1 | 2;
  /** A max-pool 3 × 3 with stride 2 behind the stem. */
  readonly stemPool: boolean;
  /** Where a layer's channels go: behind what it was given, or before that. */
  readonly newChannels: 'behind' | 'before';
  readonly transitionActivation: boolean;
  readonly fixedPool?: number;
}

export function readDenseNet(shapes: Shapes, names: DenseNetNames): DenseNetSize | undefined {
  const stem = convolutionAt(shapes, names.stem);
  const head = linearAt(shapes, names.head);
  if (!stem || !head) return undefined;
  const layer = (b: number, l: number) =>
    [1, 2].flatMap((n) => convolutionAt(shapes, `${names.layer(b, l)}.${names.convolution(n)}`) ?? []);
  const blocks = Array.from({ length: countFrom0((b) => layer(b, 0).length > 0) }, (_, b) =>
    Array.from({ length: countFrom0((l) => layer(b, l).length > 0) }, (_, l) => layer(b, l)),
  );
  const transitions = blocks
    .slice(1)
    .flatMap((_, b) => convolutionAt(shapes, names.transition(b).convolution) ?? []);
  if (blocks.length === 0 || transitions.length !== blocks.length - 1) return undefined;
  const stemNorm = names.stemNorm !== undefined && hasNorm(shapes, names.stemNorm);
  return { stem, stemNorm, blocks, transitions, classes: head.features };
}

/** How many convolutions and linear layers lie one behind the other: the number in a network's name. */
export function denseNetDepth({ blocks, transitions }: DenseNetSize): number {
  return 2 + transitions.length + blocks.flat().reduce((sum, convolutions) => sum + convolutions.length, 0);
}

/** Writes the network from the image to the logits. */
export function buildDenseNet(
  network: Network,
  image: Value,
  size: DenseNetSize,
  names: DenseNetNames,
  rules: DenseNetRules,
): void {
  let x = convolve(network, names.stem, image, size.stem, { stride: rules.stemStride });
  if (size.stemNorm) x = network.activation(network.batchNorm(names.stemNorm!, x));
  if (rules.stemPool) x = network.maxPool(names.stemPool ?? 'pool0', x, 3, { stride: 2, padding: 1 });
  for (const [b, layers] of size.blocks.entries()) {
    for (const [l, convolutions] of layers.entries())
      x = layer(network, names.layer(b, l), x, convolutions, names, rules);
    if (b < size.transitions.length)
      x = transition(network, x, size.transitions[b], names.transition(b), rules);
  }
  x = network.activation(network.batchNorm(names.lastNorm, x));
  network.logits(names.head, network.globalAveragePool(x, rules.fixedPool), size.classes);
}

function layer(
  network: Network,
  path: string,
  x: Value,
  convolutions: readonly ConvolutionSize[],
  names: DenseNetNames,
  { newChannels }: DenseNetRules,
): Value {
  let y = x;
  for (const [i, size] of convolutions.entries()) {
    y = network.activation(network.batchNorm(`${path}.${names.norm(i + 1)}`, y));
    y = convolve(network, `${path}.${names.convolution(i + 1)}`, y, size);
  }
  return newChannels === 'behind' ? network.concat(path, x, y) : network.concat(path, y, x);
}

/** Fewer channels, and half the height and width. */
function transition(
  network: Network,
  x: Value,
  size: ConvolutionSize,
  { norm, convolution, pool }: ReturnType<DenseNetNames['transition']>,
  { transitionActivation }: DenseNetRules,
): Value {
  const normalized = network.batchNorm(norm, x);
  const activated = transitionActivation ? network.activation(normalized) : normalized;
  return network.averagePool(pool, convolve(network, convolution, activated, size), 2);
}
