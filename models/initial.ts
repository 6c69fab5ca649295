import type { RandomState } from '../src/common/random.ts';
import { elementCount, type StateDict, type Tensor } from '../src/common/tensor.ts';
import type { Architecture } from './architecture.ts';

/** From the shape of a layer's weight: what draws the elements of its weight or bias. */
export type Sampler = (weightShape: readonly number[], random: RandomState) => () => number;

/** How the layers of a backbone are drawn. BatchNorm is the same everywhere: weight and variance 1, the rest 0. */
export interface Initialization {
  readonly convolution: Sampler;
  readonly linear: Sampler;
  readonly bias: Sampler;
}

/**
 * A state dict as the original starts its training from, drawn from the same distributions (not the same numbers:
 * PyTorch's generator is another).
 *
 * @example
 * ```ts
 * import { architectureNamed, buildBackbone } from 'la-ood/checkpoints';
 * import { RandomState } from 'la-ood/methods';
 * import { initialWeights } from 'la-ood/training';
 *
 * const resnet = architectureNamed('resnet20');
 * const untrained = buildBackbone(resnet, initialWeights(resnet, 10, new RandomState(0)));
 * ```
 */
export function initialWeights(architecture: Architecture, classes: number, random: RandomState): StateDict {
  const shapes = architecture.parameters(classes);
  return new Map(
    Array.from(shapes, ([key, shape]) => [
      key,
      initialTensor(key, shape, shapes, architecture.initialization, random),
    ]),
  );
}

function initialTensor(
  key: string,
  shape: readonly number[],
  shapes: ReadonlyMap<string, readonly number[]>,
  initialization: Initialization,
  random: RandomState,
): Tensor {
  if (key.endsWith('.num_batches_tracked')) return { dtype: 'int64', shape, data: new BigInt64Array(1) };
  const data = new Float32Array(elementCount(shape));
  const [, path, field] = key.match(/^(.*)\.(\w+)$/)!;
  const isBatchNorm = shapes.has(`${path}.running_var`);
  if (isBatchNorm) data.fill(field === 'weight' || field === 'running_var' ? 1 : 0);
  else {
    const weightShape = shapes.get(`${path}.weight`)!;
    const { convolution, linear, bias } = initialization;
    const sampler = field === 'bias' ? bias : weightShape.length === 4 ? convolution : linear;
    const draw = sampler(weightShape, random);
    for (let i = 0; i < data.length; i++) data[i] = draw();
  }
  return { dtype: 'float32', shape, data };
}

export const zero: Sampler = () => () => 0;

/** N(0, std). */
export function normal(std: number): Sampler {
  return (_, random) => () => std * random.normal();
}

/** N(0, √(2 / fan)), for layers that a ReLU follows (He et al. 2015). */
export function kaimingNormal(fan: 'in' | 'out'): Sampler {
  return (shape, random) => {
    const [outputs, inputs, ...kernel] = shape;
    const std = Math.sqrt(2 / ((fan === 'in' ? inputs : outputs) * elementCount(kernel)));
    return () => std * random.normal();
  };
}

/** PyTorch's default for the weight and the bias of convolutions and linear layers: U(−1/√fan, 1/√fan), fan-in. */
export const pytorchDefault: Sampler = ([, ...fanIn], random) => {
  const bound = 1 / Math.sqrt(elementCount(fanIn));
  return () => bound * (2 * random.random() - 1);
};
