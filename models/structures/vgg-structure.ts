import type { Network, Value } from '../network.ts';
import {
  type ConvolutionSize,
  convolutionAt,
  convolve,
  hasNorm,
  type LinearSize,
  linearAt,
  type Shapes,
} from './layers.ts';

/** What a family calls the modules of a VGG. */
export interface VggNames {
  /** The `nn.Sequential` of convolutions, batch normalisations, activations and pools: an index counts all of them. */
  readonly features: string;
  /** The linear layers, or convolutions in their place, the last of which gives the logits. */
  readonly head: readonly string[];
}

/** What the shapes show. */
export interface VggSize {
  readonly stages: readonly (readonly ConvolutionSize[])[];
  readonly norm: boolean;
  readonly head: readonly (LinearSize | ConvolutionSize)[];
}

/** What keys and shapes cannot show. */
export interface VggRules {
  /** What is before the head: an average pool to the size that the head takes, or nothing. */
  readonly pool: 'adaptive' | 'none';
  /** In training, between the layers of the head. */
  readonly dropout?: number;
}

/** Poolings of every VGG; the last of them has no trace in the keys. */
const STAGES = 5;

export function readVgg(shapes: Shapes, { features, head }: VggNames): VggSize | undefined {
  const prefix = `${features}.`;
  const indices = [...shapes.keys()]
    .filter((key) => key.startsWith(prefix) && key.endsWith('.weight') && shapes.get(key)!.length === 4)
    .map((key) => Number(key.slice(prefix.length, -'.weight'.length)))
    .sort((a, b) => a - b);
  const norm = indices.length > 0 && hasNorm(shapes, `${features}.${indices[0] + 1}`);
  const unit = norm ? 3 : 2;
  const stages: ConvolutionSize[][] = [[]];
  for (const [i, index] of indices.entries()) {
    const size = convolutionAt(shapes, `${features}.${index}`);
    const gap = i === 0 ? index : index - indices[i - 1] - unit;
    // One index more than the layers there take is a pool's.
    if (!size || gap < 0 || gap > 1 || (i === 0 && gap !== 0)) return undefined;
    if (gap === 1) stages.push([]);
    stages.at(-1)!.push(size);
  }
  const layers = head.flatMap((path) => linearAt(shapes, path) ?? convolutionAt(shapes, path) ?? []);
  if (stages.length !== STAGES || layers.length !== head.length || !('features' in layers.at(-1)!))
    return undefined;
  return { stages, norm, head: layers };
}

/** Writes the network from the image to the logits. */
export function buildVgg(
  network: Network,
  image: Value,
  size: VggSize,
  names: VggNames,
  rules: VggRules,
): void {
  const features = convolutions(network, image, size, names.features);
  const [first] = size.head;
  const isConvolution = 'kernel' in first;
  const side = isConvolution ? first.kernel : Math.round(Math.sqrt(first.inputs / features.channels));
  const isSmall = Math.min(features.height, features.width) < side;
  // A convolution slides over maps that are larger than its kernel, and its results are averaged.
  const adapts = rules.pool === 'adaptive' && (!isConvolution || isSmall);
  const pooled = adapts ? network.adaptiveAveragePool('avgpool', features, side) : features;
  let x = isConvolution ? pooled : network.flatten(pooled);
  for (const [i, path] of names.head.entries()) {
    const layer = size.head[i];
    const isLast = i === names.head.length - 1;
    if (isLast) {
      const input = isConvolution ? network.globalAveragePool(x) : x;
      network.logits(path, input, (layer as LinearSize).features);
      return;
    }
    x =
      'kernel' in layer
        ? convolve(network, path, x, layer, { padding: 0, tap: false })
        : network.linear(path, x, layer.features, { bias: layer.bias });
    x = network.activation(x, below(path, 1));
    if (rules.dropout !== undefined) x = network.dropout(below(path, 2), x, rules.dropout);
  }
}

function convolutions(network: Network, image: Value, { stages, norm }: VggSize, features: string): Value {
  let x = image;
  let index = 0;
  const next = () => `${features}.${index++}`;
  for (const stage of stages) {
    for (const size of stage) {
      x = convolve(network, next(), x, size);
      if (norm) x = network.batchNorm(next(), x);
      x = network.activation(x, next());
    }
    x = network.maxPool(next(), x, 2);
  }
  return x;
}

/** The path of what follows a layer in its `nn.Sequential`. */
function below(path: string, distance: number): string {
  const match = path.match(/^(.*\.)(\d+)$/);
  return match ? `${match[1]}${Number(match[2]) + distance}` : `${path}.${['relu', 'dropout'][distance - 1]}`;
}
