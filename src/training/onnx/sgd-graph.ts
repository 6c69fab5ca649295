import { extendModel } from '../../graph/gradient/extend.ts';
import { gradientOf, nextOf } from '../../graph/gradient/gradient-graph.ts';
import { ElementType, type ModelProto } from '../../graph/onnx.ts';
import type { SgdOptions } from '../engine.ts';

/** The input, and with `next/` the output, that holds a weight's velocity. */
export const velocityOf = (weight: string) => `velocity/${weight}`;
/** The input that holds the learning rate, a scalar. */
export const RATE = 'rate';

/**
 * Adds stochastic gradient descent with momentum behind a gradient graph, as PyTorch formulates it: g += decay · w;
 * v = momentum · v + g; w −= rate · v, or with Nesterov's w −= rate · (g + momentum · v). Weight decay is for all weights,
 * those of batch normalisation and biases included.
 *
 * @param weights inputs of the graph, by name, with their shapes
 */
export function appendSgd(
  model: ModelProto,
  weights: ReadonlyMap<string, readonly number[]>,
  { momentum, weightDecay, clip, nesterov }: SgdOptions,
): ModelProto {
  return extendModel(model, (write) => {
    const rate = write.input(RATE, ElementType.float, []);
    const times = (value: string, factor: number) => write.node('Mul', [value, write.floats(factor)]);
    const shrink = clip === undefined ? undefined : write.node('Min', [write.floats(1), shrinkage(clip)]);
    for (const [weight, shape] of weights) {
      const velocity = write.input(velocityOf(weight), ElementType.float, shape);
      const raw = gradientOf(weight);
      const clipped = shrink ? write.node('Mul', [raw, shrink]) : raw;
      const gradient = weightDecay === 0 ? clipped : write.node('Add', [clipped, times(weight, weightDecay)]);
      const moved = write.node('Add', [gradient, times(velocity, momentum)]);
      const direction = nesterov ? write.node('Add', [gradient, times(moved, momentum)]) : moved;
      const value = write.node('Sub', [weight, write.node('Mul', [direction, rate])]);
      write.output(nextOf(weight), value, ElementType.float, shape);
      write.output(nextOf(velocity), moved, ElementType.float, shape);
    }

    /** What all gradients are multiplied by so that together they are as long as `length`. */
    function shrinkage(length: number): string {
      const squares = Array.from(weights.keys(), (weight) =>
        write.node('ReduceSumSquare', [gradientOf(weight)], { keepdims: 0 }),
      );
      const norm = write.node('Sqrt', [write.node('Sum', squares)]);
      return write.node('Div', [write.floats(length), write.node('Add', [norm, write.floats(1e-6)])]);
    }
  });
}
