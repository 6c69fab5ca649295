import { intAttribute } from '../attributes.ts';
import type { Rule } from './rule.ts';

/** dx = dy − softmax(x) Σ dy */
export const logSoftmax: Rule = {
  backward({ node, write }, dy) {
    const sum = write.sum(dy, [intAttribute(node, 'axis') ?? -1], true);
    const shares = write.node('Mul', [write.node('Exp', [node.output[0]]), sum]);
    return [write.node('Sub', [dy, shares])];
  },
};
