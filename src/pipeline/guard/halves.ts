import { RandomState } from '../../common/random.ts';

/** Of the held-out InD images, this share scales the scores of layers; the others give the p-values. */
const SCALE_SHARE = 0.5;

/** By a guard's seed, which held-out images scale the scores, and which give the p-values. */
export function halves(seed: number): [(count: number) => Uint32Array, (count: number) => Uint32Array] {
  const order = (count: number) => new RandomState(seed).permutation(count);
  const cut = (count: number) => Math.floor(SCALE_SHARE * count);
  return [(count) => order(count).subarray(0, cut(count)), (count) => order(count).subarray(cut(count))];
}
