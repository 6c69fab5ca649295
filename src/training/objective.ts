import type { Tensor } from '@tensorflow/tfjs-core';
import type { RandomState } from '../common/random.ts';
import { crossEntropy } from './cross-entropy.ts';
import type { Pass, TrainableGraph } from './trainable-graph.ts';

/** What a network is trained for. */
export interface Objective {
  /** Called before an epoch's first step. */
  beginEpoch?(epoch: number): Promise<void>;
  /** What a batch is worth; `random` is the step's, after dropout has drawn from it. */
  judge(pass: Pass, labels: ArrayLike<number>, random: RandomState): Judgement;
}

export interface Judgement {
  readonly loss: number;
  /** Images whose largest logit is their label's. */
  readonly correct: number;
  /** Of the loss with respect to values that the graph exposes; whoever asked disposes of them. */
  readonly gradients: ReadonlyMap<string, Tensor>;
}

/** Mean cross-entropy of the graph's first output. */
export function classification({ tf, exposed: [logits] }: TrainableGraph): Objective {
  return {
    judge(pass, labels) {
      const value = pass.value(logits);
      const { loss, correct, gradient } = crossEntropy(value.dataSync<'float32'>(), labels);
      return { loss, correct, gradients: new Map([[logits, tf.tensor(gradient, value.shape)]]) };
    },
  };
}
