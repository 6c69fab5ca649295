import type { ConvolutionOptions, Network, Value } from '../network.ts';

/** The shape of each weight, by its key in the state dict. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** What the shapes of a convolution show. */
export interface ConvolutionSize {
  readonly channels: number;
  /** Channels that each output sees: all of the input's, or those of its group. */
  readonly inputs: number;
  readonly kernel: number;
  readonly bias: boolean;
}

export function convolutionAt(shapes: Shapes, path: string): ConvolutionSize | undefined {
  const shape = shapes.get(`${path}.weight`);
  if (shape?.length !== 4 || shape[2] !== shape[3]) return undefined;
  const [channels, inputs, kernel] = shape;
  return { channels, inputs, kernel, bias: shapes.has(`${path}.bias`) };
}

export const hasNorm = (shapes: Shapes, path: string) => shapes.has(`${path}.running_var`);

/** What the shapes of a linear layer show. */
export interface LinearSize {
  readonly features: number;
  readonly inputs: number;
  readonly bias: boolean;
}

export function linearAt(shapes: Shapes, path: string): LinearSize | undefined {
  const shape = shapes.get(`${path}.weight`);
  if (shape?.length !== 2) return undefined;
  return { features: shape[0], inputs: shape[1], bias: shapes.has(`${path}.bias`) };
}

/** A convolution of that size, its groups being those that its inputs make. */
export function convolve(
  network: Network,
  path: string,
  x: Value,
  { channels, inputs, kernel, bias }: ConvolutionSize,
  options: ConvolutionOptions = {},
): Value {
  const groups = x.channels % inputs === 0 ? x.channels / inputs : 1;
  return network.convolution(path, x, channels, { kernel, bias, groups, ...options });
}

/** How many there are of what is numbered from 0. */
export function countFrom0(isThere: (index: number) => boolean): number {
  let count = 0;
  while (isThere(count)) count++;
  return count;
}
