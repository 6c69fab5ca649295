import { RandomState } from '../common/random.ts';

/** Row indices of the two parts, in scikit-learn's order. */
export interface Split {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
}

/**
 * scikit-learn's `train_test_split(X, test_size=share, random_state=seed)`, index for index: of a permutation of
 * 0 … n−1 the first ⌈share n⌉ are validation, the rest train.
 */
export function splitValidation(n: number, share: number, seed: number): Split {
  const order = new RandomState(seed).permutation(n);
  const held = Math.ceil(share * n);
  return { validation: order.slice(0, held), train: order.slice(held) };
}
