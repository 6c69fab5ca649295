import { select } from '../../common/select.ts';
import type { DualSolution } from './dual.ts';

/** Variables that one subproblem optimises together. */
const SIZE = 512;

/** Chooses the variables of the next subproblem; its scratch memory serves all of a fit's. */
export class WorkingSetSelection {
  readonly #scratch: Float64Array;

  /** @param count variables of the whole problem */
  constructor(count: number) {
    this.#scratch = new Float64Array(count);
  }

  /**
   * The worst violators: half of the set are the variables that gain most by growing, the others those that gain most
   * by shrinking.
   *
   * @param lowest the smallest gradient among variables that can grow
   * @param highest the largest gradient among variables that can shrink
   */
  choose({ alpha, gradient }: DualSolution, lowest: number, highest: number): Uint32Array {
    const canGrow = (i: number) => alpha[i] < 1 && gradient[i] < highest;
    const canShrink = (i: number) => alpha[i] > 0 && gradient[i] > lowest;
    const growing = this.#threshold(gradient, canGrow, 1, SIZE / 2);
    const shrinking = -this.#threshold(gradient, canShrink, -1, SIZE / 2);
    const chosen: number[] = [];
    for (let i = 0; i < alpha.length && chosen.length < SIZE; i++)
      if ((gradient[i] <= growing && canGrow(i)) || (gradient[i] >= shrinking && canShrink(i)))
        chosen.push(i);
    return Uint32Array.from(chosen);
  }

  /** What bounds the `wanted` smallest values of `sign × gradient` among the variables that are meant. */
  #threshold(gradient: Float64Array, isMeant: (i: number) => boolean, sign: number, wanted: number): number {
    let count = 0;
    for (let i = 0; i < gradient.length; i++) if (isMeant(i)) this.#scratch[count++] = sign * gradient[i];
    if (count <= wanted) return Number.POSITIVE_INFINITY;
    return select(this.#scratch.subarray(0, count), wanted - 1);
  }
}
