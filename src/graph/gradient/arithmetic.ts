import { type Rule, type Site, targetShape } from './rule.ts';

/** Operators of two values, with broadcasting. */

export const add: Rule = binary((_, dy) => [dy, dy]);

export const sub: Rule = binary(({ write }, dy) => [dy, () => write.node('Neg', [dy])]);

export const mul: Rule = binary(({ node, write }, dy) => {
  const [a, b] = node.input;
  return [() => write.node('Mul', [dy, b]), () => write.node('Mul', [dy, a])];
});

export const div: Rule = binary(({ node, write }, dy) => {
  const [, b] = node.input;
  const ratio = () => write.node('Div', [node.output[0], b]);
  return [() => write.node('Div', [dy, b]), () => write.node('Neg', [write.node('Mul', [dy, ratio()])])];
});

type Gradient = string | (() => string);

/** @param gradients of both operands, in the shape of the output; written where they are wanted */
function binary(gradients: (site: Site, dy: string) => [Gradient, Gradient]): Rule {
  return {
    backward: (site, dy) =>
      gradients(site, dy).map((gradient, index) => {
        if (!site.wants(index)) return undefined;
        return sumTo(site, typeof gradient === 'string' ? gradient : gradient(), index);
      }),
  };
}

/** Sums a gradient of the output's shape over the axes along which an input was repeated. */
export function sumTo(site: Site, gradient: string, index: number): string {
  const [shape, whole] = [site.shape(index), site.outputShape()];
  const missing = whole.length - shape.length;
  const repeated = whole.flatMap((size, axis) =>
    axis < missing || (shape[axis - missing] === 1 && size !== 1) ? [axis] : [],
  );
  if (repeated.length === 0) return gradient;
  const sum = site.write.sum(gradient, repeated, true);
  return missing === 0 ? sum : site.write.reshape(sum, targetShape(site, shape));
}
