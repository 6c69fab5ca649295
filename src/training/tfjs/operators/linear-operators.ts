import type { Tensor2D } from '@tensorflow/tfjs-core';
import { attribute, intAttribute } from '../../../graph/attributes.ts';
import type { WeightLayout } from '../parameter.ts';
import type { Layer, Node, Operator } from './operator.ts';

/** Gemm with a weight and a bias: alpha x w + beta b. */
export const gemm: Operator = (node) => {
  const { proto } = node;
  if (intAttribute(proto, 'transA')) throw node.unsupported('transA');
  if ((attribute(proto, 'alpha')?.f ?? 1) !== 1 || (attribute(proto, 'beta')?.f ?? 1) !== 1)
    throw node.unsupported('alpha and beta other than 1');
  return linear(node, intAttribute(proto, 'transB') === 1);
};

/** MatMul with a weight. */
export const matMul: Operator = (node) => linear(node, false);

/** @param transposed whether the weight is outputs × inputs */
function linear(node: Node, transposed: boolean): Layer {
  const { tf } = node;
  if (node.inputShape(0).length !== 1) throw node.unsupported('a matrix product of more than two dimensions');
  const weight = node.weight(1, layoutOf(node, transposed ? 1 : 0));
  const bias = node.inputCount > 2 ? node.weight(2) : undefined;
  return {
    inputs: [0],
    forward(_run, x) {
      const product = tf.matMul(x as Tensor2D, weight.value as Tensor2D, false, transposed);
      return {
        output: bias ? tf.add(product, bias.value) : product,
        saved: [x],
        backward(dy, gradients, [wanted]) {
          const [left, right] = transposed ? [dy, x] : [x, dy];
          gradients.add(weight, tf.matMul(left as Tensor2D, right as Tensor2D, true, false));
          if (bias) gradients.add(bias, tf.sum(dy, 0));
          return [
            wanted ? tf.matMul(dy as Tensor2D, weight.value as Tensor2D, false, !transposed) : undefined,
          ];
        },
      };
    },
  };
}

/** Where the input was flattened in the order H, W, C, so are the weight's inputs. */
function layoutOf(node: Node, inputAxis: number): WeightLayout | undefined {
  const sizes = node.flattenedFrom(0);
  if (!sizes) return undefined;
  const shape = node.weightShape(1);
  const view = shape.flatMap((size, axis) => (axis === inputAxis ? sizes : size));
  const [c, h, w] = [inputAxis, inputAxis + 1, inputAxis + 2];
  const order = inputAxis === 0 ? [h, w, c, 3] : [0, h, w, c];
  return { view, order, shape };
}
