import { extendModel } from '../../graph/gradient/extend.ts';
import { gradientOf, nextOf } from '../../graph/gradient/output-names.ts';
import { ElementType, type ModelProto } from '../../graph/onnx.ts';
import type { SgdOptions } from '../engine.ts';

/** The input, and with `next/` the output, that holds a weight's velocity. */
export const velocityOf = (weight: string) => `velocity/${weight}`;
/** The inputs that hold the scalars of a move. */
export const RATE = 'training/rate';
export const MOMENTUM = 'training/momentum';
export const DECAY = 'training/decay';
/** The input that holds what gradients are multiplied by: a part's share of the batch. */
export const SHARE = 'training/share';

/**
 * Adds stochastic gradient descent with momentum behind a gradient graph, as PyTorch formulates it: g += decay · w;
 * v = momentum · v + g; w −= rate · v, or with Nesterov's w −= rate · (g + momentum · v). Weight decay is for all weights,
 * those of batch normalisation and biases included.
 *
 * The scalars are inputs, so that a batch can come in parts: each but the first has momentum 1, each but the last rate and
 * decay 0, and the velocities add the parts' gradients up.
 *
 * @param weights inputs of the graph, by name, with their shapes
 */
export function appendSgd(
  model: ModelProto,
  weights: ReadonlyMap<string, readonly number[]>,
  { clip, nesterov }: Pick<SgdOptions, 'clip' | 'nesterov'>,
): ModelProto {
  return extendModel(model, (write) => {
    const [rate, momentum, decay, share] = [RATE, MOMENTUM, DECAY, SHARE].map((name) =>
      write.input(name, ElementType.float, []),
    );
    const times = (value: string, factor: string) => write.node('Mul', [value, factor]);
    const shrink = clip === undefined ? undefined : write.node('Min', [write.floats(1), shrinkage(clip)]);
    for (const [weight, shape] of weights) {
      const velocity = write.input(velocityOf(weight), ElementType.float, shape);
      const shared = times(gradientOf(weight), shrink ?? share);
      const gradient = write.node('Add', [shared, times(weight, decay)]);
      const moved = write.node('Add', [gradient, times(velocity, momentum)]);
      const direction = nesterov ? write.node('Add', [gradient, times(moved, momentum)]) : moved;
      const value = write.node('Sub', [weight, times(direction, rate)]);
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
