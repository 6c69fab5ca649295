import { intAttribute } from '../attributes.ts';
import { ElementType } from '../onnx.ts';
import type { Rule, Site } from './rule.ts';

/** Sums and means over axes. */

export const reduceSum: Rule = { backward: (site, dy) => [repeated(site, dy)] };

export const reduceMean: Rule = {
  backward(site, dy) {
    const { write, node } = site;
    const sizes = reducedAxes(site).map((axis) => site.shape(0)[axis]);
    const count = sizes.every((size) => typeof size === 'number')
      ? write.floats(sizes.reduce((product, size) => product * size, 1))
      : write.node('Div', [elements(site, node.input[0]), elements(site, node.output[0])]);
    return [repeated(site, write.node('Div', [dy, count]))];
  },
};

/** A gradient for each value that was added. */
function repeated(site: Site, dy: string): string {
  const { node, write } = site;
  const keeps = intAttribute(node, 'keepdims') ?? 1;
  const whole = keeps ? dy : write.node('Unsqueeze', [dy, write.ints(reducedAxes(site))]);
  return write.node('Expand', [whole, write.node('Shape', [node.input[0]])]);
}

function reducedAxes(site: Site): number[] {
  const { length } = site.shape(0);
  const axes = site.integers(1);
  if (axes?.length) return axes.map((axis) => (axis + length) % length).sort((a, b) => a - b);
  if (intAttribute(site.node, 'noop_with_empty_axes')) throw site.unsupported('no axes');
  return [...site.shape(0).keys()];
}

function elements({ write }: Site, value: string): string {
  return write.node('Cast', [write.node('Size', [value])], { to: ElementType.float });
}
