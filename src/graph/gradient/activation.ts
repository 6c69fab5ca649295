import { attribute } from '../attributes.ts';
import { float } from '../builder.ts';
import type { NodeWriter } from './node-writer.ts';
import type { Rule, Site } from './rule.ts';

/** Operators that work on each element by itself. At a corner the slope is that of the flatter side. */

export const relu: Rule = elementwise(({ node, write }) => write.isPositive(node.output[0]));

/** alpha x where x is negative. */
export const leakyRelu: Rule = elementwise(({ node, write }) => {
  const alpha = attribute(node, 'alpha')?.f ?? 0.01;
  const above = write.node('Mul', [write.isPositive(node.input[0]), write.floats(1 - alpha)]);
  return write.node('Add', [above, write.floats(alpha)]);
});

export const sigmoid: Rule = elementwise(({ node, write }) => {
  const [y] = node.output;
  return write.node('Mul', [y, write.node('Sub', [write.floats(1), y])]);
});

export const exp: Rule = elementwise(({ node }) => node.output[0]);

/** min ≤ x ≤ max; ReLU6 is exported so. */
export const clip: Rule = elementwise((site) => {
  const [low, high] = [1, 2].map((index) => site.constant(index)?.data[0]);
  return within(site.write, site.node.input[0], low as number, high as number);
});

/** max(0, min(1, alpha x + beta)) */
export const hardSigmoid: Rule = elementwise(({ node, write }) => {
  const alpha = attribute(node, 'alpha')?.f ?? 0.2;
  const beta = attribute(node, 'beta')?.f ?? 0.5;
  const inside = within(write, node.input[0], -beta / alpha, (1 - beta) / alpha);
  return write.node('Mul', [inside, write.floats(alpha)]);
});

/** x max(0, min(1, x / 6 + 1 / 2)) */
export const hardSwish: Rule = elementwise(({ node, write }) => {
  const [x] = node.input;
  const gate = write.node('HardSigmoid', [x], { alpha: float(1 / 6), beta: float(0.5) });
  const rise = write.node('Mul', [write.node('Mul', [x, write.floats(1 / 6)]), within(write, x, -3, 3)]);
  return write.node('Add', [gate, rise]);
});

/** @param slope the derivative at each element */
function elementwise(slope: (site: Site) => string): Rule {
  return { backward: (site, dy) => [site.write.node('Mul', [dy, slope(site)])] };
}

/** 1 where low < x < high, else 0; a bound that is absent holds for all. */
function within(write: NodeWriter, x: string, low?: number, high?: number): string {
  const above = low === undefined ? undefined : write.isPositive(write.node('Sub', [x, write.floats(low)]));
  const below = high === undefined ? undefined : write.isPositive(write.node('Sub', [write.floats(high), x]));
  if (above && below) return write.node('Mul', [above, below]);
  return above ?? below ?? write.floats(1);
}
