import type { Tensor } from '@tensorflow/tfjs-core';
import { attribute } from '../../../graph/attributes.ts';
import type { TensorFlow } from '../backend.ts';
import type { Layer, Node, Operator } from './operator.ts';

/** Operators that work on each element by itself. */

export const relu: Operator = ({ tf }) => ({
  inputs: [0],
  forward({ kernels }, x) {
    const y = tf.relu(x);
    return { output: y, saved: [y], backward: (dy) => [kernels.reluGradient(dy, y)] };
  },
});

export const sigmoid: Operator = ({ tf }) => ({
  inputs: [0],
  forward(_run, x) {
    const y = tf.sigmoid(x);
    return { output: y, saved: [y], backward: (dy) => [tf.mul(dy, tf.mul(y, tf.sub(1, y)))] };
  },
});

/** min ≤ x ≤ max; ReLU6 is exported so. */
export const clip: Operator = (node) => {
  const bound = (index: number, name: string) =>
    node.setting(index)?.data[0] ?? attribute(node.proto, name)?.f;
  const low = Number(bound(1, 'min') ?? Number.NEGATIVE_INFINITY);
  const high = Number(bound(2, 'max') ?? Number.POSITIVE_INFINITY);
  const { tf } = node;
  return elementwise(
    tf,
    (x) => tf.clipByValue(x, low, high),
    (x) => within(tf, x, low, high),
  );
};

/** max(0, min(1, alpha x + beta)) */
export const hardSigmoid: Operator = ({ tf, proto }) => {
  const alpha = attribute(proto, 'alpha')?.f ?? 0.2;
  const beta = attribute(proto, 'beta')?.f ?? 0.5;
  const linear = (x: Tensor) => tf.add(tf.mul(x, alpha), beta);
  return elementwise(
    tf,
    (x) => tf.clipByValue(linear(x), 0, 1),
    (x) => tf.mul(within(tf, linear(x), 0, 1), alpha),
  );
};

/** x max(0, min(1, x / 6 + 1 / 2)) */
export const hardSwish: Operator = ({ tf }) => {
  const gate = (x: Tensor) => tf.clipByValue(tf.add(tf.div(x, 6), 0.5), 0, 1);
  return elementwise(
    tf,
    (x) => tf.mul(x, gate(x)),
    (x) => tf.add(gate(x), tf.mul(tf.div(x, 6), within(tf, x, -3, 3))),
  );
};

export const identity: Operator = ({ tf }) => ({
  inputs: [0],
  forward: (_run, x) => ({ output: tf.clone(x), backward: (dy) => [dy] }),
});

/** Keeps each element with probability 1 − ratio, and divides it by that. */
export const dropout: Operator = (node) => {
  const { tf, proto } = node;
  const ratio = Number(node.setting(1)?.data[0] ?? attribute(proto, 'ratio')?.f ?? 0.5);
  return {
    inputs: [0],
    forward({ random }, x) {
      if (!random || ratio === 0) return { output: tf.clone(x), backward: (dy) => [dy] };
      const factors = new Float32Array(x.size);
      for (let i = 0; i < factors.length; i++) factors[i] = random.random() < ratio ? 0 : 1 / (1 - ratio);
      const mask = tf.tensor(factors, x.shape);
      return { output: tf.mul(x, mask), saved: [mask], backward: (dy) => [tf.mul(dy, mask)] };
    },
  };
};

function elementwise(tf: TensorFlow, value: (x: Tensor) => Tensor, slope: (x: Tensor) => Tensor): Layer {
  return {
    inputs: [0],
    forward: (_run, x) => ({ output: value(x), saved: [x], backward: (dy) => [tf.mul(dy, slope(x))] }),
  };
}

/** 1 where low ≤ x ≤ high, else 0. */
function within(tf: TensorFlow, x: Tensor, low: number, high: number): Tensor {
  return tf.cast(tf.logicalAnd(tf.greaterEqual(x, low), tf.lessEqual(x, high)), 'float32');
}

/** Whether an operator leaves each feature in its place. */
export function isElementwise({ proto }: Pick<Node, 'proto'>): boolean {
  return ['Relu', 'Sigmoid', 'Clip', 'HardSigmoid', 'HardSwish', 'Identity', 'Dropout'].includes(
    proto.opType,
  );
}
