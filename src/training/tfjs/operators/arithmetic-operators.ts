import type { Tensor } from '@tensorflow/tfjs-core';
import { toFloat32 } from '../../../common/tensor.ts';
import type { TensorFlow } from '../backend.ts';
import type { Layer, Node, Operator } from './operator.ts';

/** Add and Mul, of two values or of a value and a constant, with broadcasting. */

export const add: Operator = (node) =>
  binary(
    node,
    (tf, a, b) => tf.add(a, b),
    (_tf, dy) => [dy, dy],
  );

export const mul: Operator = (node) =>
  binary(
    node,
    (tf, a, b) => tf.mul(a, b),
    (tf, dy, a, b) => [tf.mul(dy, b), tf.mul(dy, a)],
  );

function binary(
  node: Node,
  value: (tf: TensorFlow, a: Tensor, b: Tensor) => Tensor,
  gradients: (tf: TensorFlow, dy: Tensor, a: Tensor, b: Tensor) => [Tensor, Tensor],
): Layer {
  const { tf } = node;
  const constants = [constantOperand(node, 0), constantOperand(node, 1)];
  const inputs = [0, 1].filter((index) => !constants[index]);
  const ranks = inputs.map((index) => node.inputShape(index).length);
  if (new Set(ranks).size > 1) throw node.unsupported('operands with different numbers of dimensions');
  return {
    inputs,
    forward(_run, ...values) {
      const [a, b] = constants.map((constant, index) => constant?.() ?? values[inputs.indexOf(index)]);
      return {
        output: value(tf, a, b),
        saved: node.proto.opType === 'Mul' ? [a, b] : [],
        backward(dy) {
          const [da, db] = gradients(tf, dy, a, b);
          const both = [sumTo(tf, da, a.shape), sumTo(tf, db, b.shape)];
          return inputs.map((index) => both[index]);
        },
      };
    },
  };
}

/** Makes an operand that is constant, in this engine's order of axes; undefined where it is computed. */
function constantOperand(node: Node, index: number): (() => Tensor) | undefined {
  const constant = node.constant(index);
  if (!constant) return undefined;
  const { tf } = node;
  const data = toFloat32(constant);
  const rank = node.outputShape().length + 1;
  const shape = [...Array(Math.max(0, rank - constant.shape.length)).fill(1), ...constant.shape];
  return () => {
    const tensor = tf.tensor(data.slice(), shape);
    return rank === 4 ? tf.transpose(tensor, [0, 2, 3, 1]) : tensor;
  };
}

/** Sums a gradient over the axes along which its value was repeated. */
function sumTo(tf: TensorFlow, gradient: Tensor, shape: readonly number[]): Tensor {
  const repeated = shape.flatMap((size, axis) => (size === 1 && gradient.shape[axis] !== 1 ? [axis] : []));
  return repeated.length > 0 ? tf.sum(gradient, repeated, true) : gradient;
}
