import { RandomState } from '../src/common/random.ts';

/**
 * The random numbers of one drawn image, so that any part of a set can be drawn without the rest.
 *
 * @param stream what sets the images of one kind apart from those of the others: a whole number below 64
 */
export function imageRandom(seed: number, stream: number, index: number): RandomState {
  // An odd multiplier scatters the sets over 2³² seeds, far further apart than any of them is long.
  return new RandomState((Math.imul(64 * seed + stream, 0x9e3779b1) + index) >>> 0);
}
