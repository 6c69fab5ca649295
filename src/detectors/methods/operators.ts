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
  const { logRest } = addOthers(nodes, logits);
  return nodes.node('Exp', [logRest], 'rest');
}

/**
 * The logarithms of the softmax probabilities, falling, and of what each leaves to the others, `[batch, classes]` both. Those
 * of the largest are computed from the others, so that nothing is lost where it is next to 1.
 */
export function addLogProbabilities(nodes: NodeScope, logits: string): { logP: string; logRest: string } {
  const { sorted, largest, logSum, logRest: firstRest } = addOthers(nodes, logits);
  const logP = nodes.node('Sub', [nodes.node('Sub', [sorted, largest], 'below'), logSum], 'log_p');
  const others = nodes.node('Exp', [addSlice(nodes, logP, 1, END)], 'other_p');
  const rests = nodes.node(
    'Log',
    [nodes.node('Sub', [nodes.float('one', 1), others], 'left')],
    'other_log_rest',
  );
  return { logP, logRest: nodes.node('Concat', [firstRest, rests], 'log_rest', { axis: 1 }) };
}

/** Sorted logits, and the logarithm of what the largest one's probability leaves to the others. */
function addOthers(nodes: NodeScope, logits: string) {
  const size = nodes.node('Shape', [logits], 'size', { start: 1, end: 2 });
  const [sorted] = nodes.nodes('TopK', [logits, size], ['sorted', 'order'], { axis: 1 });
  const largest = addSlice(nodes, sorted, 0, 1);
  const others = addSlice(nodes, sorted, 1, END);
  const second = addSlice(nodes, sorted, 1, 2);
  const ratios = nodes.node('Exp', [nodes.node('Sub', [others, second], 'below_second')], 'ratios');
  const sum = nodes.node('Log', [nodes.reduce('ReduceSum', ratios, 1, 'ratio_sum')], 'log_ratio_sum');
  // log Σ_{k≥2} exp(z_k − z_1), and with 1 added to the sum
  const logOthers = nodes.node('Add', [nodes.node('Sub', [second, largest], 'gap'), sum], 'log_others');
  const logSum = addLogOfOneMore(nodes, nodes.node('Exp', [logOthers], 'others_sum'));
  return { sorted, largest, logSum, logRest: nodes.node('Sub', [logOthers, logSum], 'log_first_rest') };
}

/** log(1 + r) = 2 artanh(r / (2 + r)): all of r counts, where 1 + r would round it away. */
function addLogOfOneMore(nodes: NodeScope, ratio: string): string {
  const two = nodes.float('two', 2);
  const share = nodes.node('Div', [ratio, nodes.node('Add', [ratio, two], 'two_more')], 'half_share');
  return nodes.node('Mul', [nodes.node('Atanh', [share], 'artanh'), two], 'log_sum');
}

function addSlice(nodes: NodeScope, values: string, start: number, end: number): string {
  return nodes.node('Slice', [values, ...addRange(nodes, start, end)], 'slice');
}

/** Behind the last column. */
export const END = 2 ** 31 - 1;

/** The bounds, axis and step of a Slice of columns. */
export function addRange(nodes: NodeScope, start: number, end: number): string[] {
  return [nodes.int64s('start', [start]), nodes.int64s('end', [end]), nodes.int64s('columns', [1])];
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
export function addNormalized(nodes: NodeScope, rows: string): string {
  const length = nodes.reduce('ReduceL2', rows, 1, 'length');
  const least = nodes.node('Max', [length, nodes.float('least', LEAST_LENGTH)], 'positive_length');
  return nodes.node('Div', [rows, least], 'normalised');
}

/** Shorter rows are not made longer. */
const LEAST_LENGTH = 1e-12;

/**
 * `addNormalised` of an array: n × width, row-major.
 *
 * @param into where the result goes; an array of its own where absent
 */
export function normalize(
  rows: Float32Array,
  width: number,
  into: Float32Array = new Float32Array(rows.length),
): Float32Array {
  for (let first = 0; first < rows.length; first += width) {
    let sum = 0;
    for (let j = first; j < first + width; j++) sum += rows[j] * rows[j];
    const scale = 1 / Math.max(Math.sqrt(sum), LEAST_LENGTH);
    for (let j = first; j < first + width; j++) into[j] = rows[j] * scale;
  }
  return into;
}

/** Features less a centre in float64, which is subtracted in two parts: the first leaves next to nothing to be rounded. */
export function addCentered(nodes: NodeScope, features: string, center: Float64Array): string {
  const nearly = nodes.node(
    'Sub',
    [features, nodes.floats('centre', [center.length], center)],
    'nearly_centred',
  );
  const rest = nodes.floats(
    'centre_rest',
    [center.length],
    center.map((value) => value - Math.fround(value)),
  );
  return nodes.node('Sub', [nearly, rest], 'centred');
}
