import type { Activation, ConvolutionOptions, Network, Value } from '../network.ts';
import {
  type ConvolutionSize,
  convolutionAt,
  convolve,
  countFrom0,
  hasNorm,
  linearAt,
  type Shapes,
} from './layers.ts';

/** What a family calls the modules of a residual network. Stages and blocks count from 0, layers in a block from 1. */
export interface ResidualNames {
  /** Its convolutions, each with its batch normalisation if it has one. */
  readonly stem: readonly { readonly convolution: string; readonly norm?: string }[];
  readonly stemPool?: string;
  readonly stage: (stage: number) => string;
  /** Below a block's own path. */
  readonly convolution: (layer: number) => string;
  readonly norm: (layer: number) => string;
  readonly shortcut: { readonly convolution: string; readonly norm?: string };
  /** The batch normalisation before the head. */
  readonly lastNorm?: string;
  readonly head: string;
}

/** What the shapes show. */
export interface ResidualSize {
  readonly stem: readonly ConvolutionSize[];
  readonly stages: readonly (readonly BlockSize[])[];
  readonly lastNorm: boolean;
  readonly classes: number;
  readonly headBias: boolean;
}

export interface BlockSize {
  readonly convolutions: readonly ConvolutionSize[];
  readonly shortcut?: ConvolutionSize;
}

/** What keys and shapes cannot show. */
export interface ResidualRules {
  /** Batch normalisation before each convolution, and not behind it. */
  readonly preactivation?: boolean;
  readonly stemStride: 1 | 2;
  /** Where it is not half the kernel. */
  readonly stemPadding?: number;
  readonly stemPool?: 'max' | 'average' | 'blur';
  /** Which of a block's convolutions has its stride, from 1; by default the first that is 3 × 3. */
  readonly strideIn?: (convolutions: readonly ConvolutionSize[]) => number;
  /** What halves height and width in place of the stride, behind the layer that would have it. */
  readonly downsampling?: 'average' | 'blur';
  /** The first stage halves height and width too. */
  readonly firstStageStride?: 2;
  /** What the shortcut's convolution takes: in pre-activation networks the block's input, or that normalised and activated. */
  readonly shortcutInput?: (convolutions: readonly ConvolutionSize[]) => 'raw' | 'activated';
  /** How a shortcut without weights changes its shape: every second pixel, and zeros for half of the new channels on each side. */
  readonly plainShortcut?: 'zeros';
  /** An average over 2 × 2 pixels in the shortcut, in place of its convolution's stride. */
  readonly shortcutPool?: boolean;
  /** Whether the last batch normalisation is followed by the activation; so by default. */
  readonly lastActivation?: false;
  /** The side of an average pool of a fixed size. */
  readonly fixedPool?: number;
  /** The activation within a block, where it is not the network's. */
  readonly innerActivation?: Activation;
  /** Whether there are networks whose head has no bias: elsewhere one is missed. */
  readonly headWithoutBias?: boolean;
}

/** What the shapes of a residual network show, where they have these names. */
export function readResidual(shapes: Shapes, names: ResidualNames): ResidualSize | undefined {
  const stem = names.stem.flatMap(({ convolution }) => convolutionAt(shapes, convolution) ?? []);
  const head = linearAt(shapes, names.head);
  if (stem.length !== names.stem.length || !head) return undefined;
  const first = (stage: number) => `${names.stage(stage)}.0.${names.convolution(1)}.weight`;
  const stages = Array.from({ length: countFrom0((s) => shapes.has(first(s))) }, (_, s) => {
    const path = (block: number) => `${names.stage(s)}.${block}`;
    const count = countFrom0((b) => shapes.has(`${path(b)}.${names.convolution(1)}.weight`));
    return Array.from({ length: count }, (_, b) => readBlock(shapes, path(b), names));
  });
  if (stages.length === 0) return undefined;
  const lastNorm = names.lastNorm !== undefined && hasNorm(shapes, names.lastNorm);
  return { stem, stages, lastNorm, classes: head.features, headBias: head.bias };
}

function readBlock(shapes: Shapes, path: string, names: ResidualNames): BlockSize {
  const layer = (n: number) => convolutionAt(shapes, `${path}.${names.convolution(n)}`);
  const count = countFrom0((i) => layer(i + 1) !== undefined);
  const convolutions = Array.from({ length: count }, (_, i) => layer(i + 1)!);
  return { convolutions, shortcut: convolutionAt(shapes, `${path}.${names.shortcut.convolution}`) };
}

/** How many convolutions and linear layers lie one behind the other: the number in a network's name. */
export function residualDepth({ stages }: ResidualSize): number {
  return 2 + stages.flat().reduce((sum, { convolutions }) => sum + convolutions.length, 0);
}

/** Writes the network from the image to the logits. */
export function buildResidual(
  network: Network,
  image: Value,
  size: ResidualSize,
  names: ResidualNames,
  rules: ResidualRules,
): void {
  let x = stem(network, image, size, names, rules);
  for (const [s, blocks] of size.stages.entries())
    for (const [b, block] of blocks.entries()) {
      const stride = b === 0 && (s > 0 || rules.firstStageStride === 2) ? 2 : 1;
      const build = rules.preactivation ? preactivationBlock : postactivationBlock;
      x = build(network, `${names.stage(s)}.${b}`, x, block, stride, names, rules);
    }
  if (size.lastNorm) {
    x = network.batchNorm(names.lastNorm!, x);
    if (rules.lastActivation !== false) x = network.activation(x);
  }
  network.logits(
    names.head,
    network.globalAveragePool(x, rules.fixedPool),
    size.classes,
    size.headBias || !rules.headWithoutBias,
  );
}

function stem(
  network: Network,
  image: Value,
  size: ResidualSize,
  names: ResidualNames,
  rules: ResidualRules,
): Value {
  let x = image;
  for (const [i, { convolution, norm }] of names.stem.entries()) {
    const first = {
      stride: rules.stemStride,
      ...(rules.stemPadding !== undefined && { padding: rules.stemPadding }),
    };
    x = convolve(network, convolution, x, size.stem[i], i === 0 ? first : {});
    if (norm) x = network.activation(network.batchNorm(norm, x));
  }
  const pool = names.stemPool ?? 'maxpool';
  switch (rules.stemPool) {
    case 'max':
      return network.maxPool(pool, x, 3, { stride: 2, padding: 1 });
    case 'average':
      return network.averagePool(pool, x, 2);
    case 'blur':
      return network.blur(pool, network.maxPool(`${pool}.0`, x, 3, { stride: 1, padding: 1 }));
    case undefined:
      return x;
  }
}

/** The convolution, from 1, that halves height and width. */
function strided({ convolutions }: BlockSize, { strideIn }: ResidualRules): number {
  return strideIn?.(convolutions) ?? Math.max(1, convolutions.findIndex(({ kernel }) => kernel === 3) + 1);
}

function postactivationBlock(
  network: Network,
  path: string,
  x: Value,
  block: BlockSize,
  stride: number,
  names: ResidualNames,
  rules: ResidualRules,
): Value {
  let y = x;
  for (const [i, size] of block.convolutions.entries()) {
    const halves = stride !== 1 && i + 1 === strided(block, rules);
    const options = halves && !rules.downsampling ? { stride } : {};
    y = convolve(network, `${path}.${names.convolution(i + 1)}`, y, size, options);
    y = network.batchNorm(`${path}.${names.norm(i + 1)}`, y);
    if (i + 1 < block.convolutions.length) y = network.activation(y, undefined, rules.innerActivation);
    if (halves && rules.downsampling === 'average') y = network.averagePool(`${path}.aa`, y, 2);
    if (halves && rules.downsampling === 'blur') y = network.blur(`${path}.aa`, y);
  }
  const short = shortcut(network, path, x, y, block, stride, names, rules);
  return network.activation(network.add(`${path}.add`, y, short), path);
}

function preactivationBlock(
  network: Network,
  path: string,
  x: Value,
  block: BlockSize,
  stride: number,
  names: ResidualNames,
  rules: ResidualRules,
): Value {
  let y = x;
  let activated = x;
  for (const [i, size] of block.convolutions.entries()) {
    y = network.activation(network.batchNorm(`${path}.${names.norm(i + 1)}`, y));
    if (i === 0) activated = y;
    const halves = stride !== 1 && i + 1 === strided(block, rules);
    y = convolve(network, `${path}.${names.convolution(i + 1)}`, y, size, halves ? { stride } : {});
  }
  const input = rules.shortcutInput?.(block.convolutions) === 'activated' && block.shortcut ? activated : x;
  const short = shortcut(network, path, input, y, block, stride, names, rules);
  return network.add(path, y, short);
}

/** Brings a block's input to its output's form; it is no tap. */
function shortcut(
  network: Network,
  path: string,
  x: Value,
  y: Value,
  { shortcut: given }: BlockSize,
  stride: number,
  names: ResidualNames,
  rules: ResidualRules,
): Value {
  const changes = stride !== 1 || x.channels !== y.channels;
  if (!given && rules.plainShortcut && changes)
    return network.padChannels(
      `${path}.shortcut`,
      network.subsample(`${path}.shortcut.subsample`, x),
      (y.channels - x.channels) / 2,
    );
  if (!given && !changes) return x;
  // Where it is missing, it is named among what the weights lack.
  const size = given ?? { channels: y.channels, inputs: x.channels, kernel: 1, bias: false };
  const { convolution, norm } = names.shortcut;
  const options: ConvolutionOptions = { stride: rules.shortcutPool ? 1 : stride, tap: false };
  let short = x;
  if (rules.shortcutPool && stride !== 1)
    short = network.averagePool(`${path}.shortcut.pool`, short, 2, { ceil: true });
  short = convolve(network, `${path}.${convolution}`, short, size, options);
  return norm ? network.batchNorm(`${path}.${norm}`, short) : short;
}
