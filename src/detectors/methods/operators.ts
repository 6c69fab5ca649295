import type { LinearHead } from '../../graph/classifier/classifier.ts';
import type { NodeScope } from '../../graph/node-scope.ts';

/** What several methods compute, as nodes. */

/** −log Σ exp of the logits, `[batch, 1]`, safe from overflow. */
export function addEnergy(nodes: NodeScope, logits: string): string {
  const largest = nodes.reduce('ReduceMax', logits, 1, 'largest');
  const below = nodes.node('Sub', [logits, largest], 'below');
  const sum = nodes.reduce('ReduceSum', nodes.node('Exp', [below], 'exponentials'), 1, 'sum');
  const log = nodes.node('Log', [sum], 'log');
  return nodes.node('Neg', [nodes.node('Add', [largest, log], 'log_sum')], 'energy');
}

/** 1 − the largest softmax probability, `[batch, 1]`, as the sum of the others: exact where it is next to nothing. */
export function addSoftmaxRest(nodes: NodeScope, logits: string): string {
  const sorted = addSorted(nodes, logits, undefined);
  const largest = nodes.node('Slice', [sorted, ...addRange(nodes, 0, 1)], 'largest');
  const others = nodes.node('Slice', [sorted, ...addRange(nodes, 1, END)], 'others');
  const ratios = nodes.node('Exp', [nodes.node('Sub', [others, largest], 'below')], 'ratios');
  const rest = nodes.reduce('ReduceSum', ratios, 1, 'rest');
  const all = nodes.node('Add', [rest, nodes.float('one', 1)], 'all');
  return nodes.node('Div', [rest, all], 'share');
}

/** Behind the last column. */
export const END = 2 ** 31 - 1;

/** The bounds, axis and step of a Slice of columns. */
export function addRange(nodes: NodeScope, start: number, end: number): string[] {
  return [nodes.int64s('start', [start]), nodes.int64s('end', [end]), nodes.int64s('columns', [1])];
}

/** The columns of each row in falling order: the `count` largest, or all. */
export function addSorted(nodes: NodeScope, values: string, count: number | undefined): string {
  const size =
    count === undefined
      ? nodes.node('Shape', [values], 'size', { start: 1, end: 2 })
      : nodes.int64s('count', [count]);
  return nodes.nodes('TopK', [values, size], ['sorted', 'order'], { axis: 1 })[0];
}

/** The logits that the last layer makes of another input than its own, `[batch, classes]`. */
export function addHead(
  nodes: NodeScope,
  { weight, bias }: Pick<LinearHead, 'weight' | 'bias'>,
  input: string,
): string {
  const classes = bias.length;
  const rows = nodes.floats('weight', [classes, weight.length / classes], weight);
  return nodes.node('Gemm', [input, rows, nodes.floats('bias', [classes], bias)], 'logits', { transB: 1 });
}

/** Rows of length 1; one of zeros stays as it is. */
export function addNormalised(nodes: NodeScope, rows: string): string {
  const length = nodes.reduce('ReduceL2', rows, 1, 'length');
  const least = nodes.node('Max', [length, nodes.float('least', LEAST_LENGTH)], 'positive_length');
  return nodes.node('Div', [rows, least], 'normalised');
}

/** Shorter rows are not made longer. */
const LEAST_LENGTH = 1e-12;

/** `addNormalised` of arrays, in place: n × width, row-major. */
export function normalise(rows: Float32Array, width: number): Float32Array {
  for (let first = 0; first < rows.length; first += width) {
    let sum = 0;
    for (let j = first; j < first + width; j++) sum += rows[j] * rows[j];
    const scale = 1 / Math.max(Math.sqrt(sum), LEAST_LENGTH);
    for (let j = first; j < first + width; j++) rows[j] *= scale;
  }
  return rows;
}
