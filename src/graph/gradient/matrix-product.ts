import { attribute, intAttribute } from '../attributes.ts';
import { float } from '../builder.ts';
import { sumTo } from './arithmetic.ts';
import { type Rule, targetShape } from './rule.ts';

/** alpha A B + beta C, with A or B transposed. */
export const gemm: Rule = {
  backward(site, dy) {
    const { node, write } = site;
    const [a, b] = node.input;
    const [transA, transB] = ['transA', 'transB'].map((name) => intAttribute(node, name) ?? 0);
    const [alpha, beta] = ['alpha', 'beta'].map((name) => attribute(node, name)?.f ?? 1);
    const product = (left: string, right: string, turnLeft: number, turnRight: number) =>
      write.node('Gemm', [left, right], { transA: turnLeft, transB: turnRight, alpha: float(alpha) });
    const bias = () => {
      const sum = sumTo(site, dy, 2);
      return beta === 1 ? sum : write.node('Mul', [sum, write.floats(beta)]);
    };
    return [
      site.wants(0) ? (transA ? product(b, dy, transB, 1) : product(dy, b, 0, 1 - transB)) : undefined,
      site.wants(1) ? (transB ? product(dy, a, 1, transA) : product(a, dy, 1 - transA, 0)) : undefined,
      site.wants(2) ? bias() : undefined,
    ];
  },
};

export const matMul: Rule = {
  backward(site, dy) {
    const { node, write } = site;
    const [a, b] = node.input;
    const [left, right] = [site.shape(0), site.shape(1)];
    if (left.length < 2 || right.length < 2) throw site.unsupported('vectors');
    const turned = (value: string, { length }: readonly unknown[]) => {
      const axes = Array.from({ length }, (_, axis) => axis);
      return write.transpose(value, [...axes.slice(0, -2), length - 1, length - 2]);
    };
    const rows = (value: string, width: number | string) =>
      write.reshape(value, targetShape(site, ['rows', width]));
    const ofRight = () =>
      // One matrix for all: their rows are one product.
      right.length === 2
        ? write.node('MatMul', [write.transpose(rows(a, left.at(-1)!), [1, 0]), rows(dy, right[1])])
        : sumTo(site, write.node('MatMul', [turned(a, left), dy]), 1);
    return [site.wants(0) ? matchedLeft() : undefined, site.wants(1) ? ofRight() : undefined];

    function matchedLeft(): string {
      const gradient = write.node('MatMul', [dy, turned(b, right)]);
      if (right.length > left.length) throw site.unsupported('a left operand of fewer dimensions');
      return gradient;
    }
  },
};
