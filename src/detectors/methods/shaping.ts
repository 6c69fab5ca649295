import { roundHalfEven } from '../../common/rounding.ts';
import type { NodeScope } from '../../graph/node-scope.ts';
import type { FittedMethod } from './method.ts';
import { addEnergy, addHead } from './operators.ts';
import type { Training } from './training.ts';

/** What SCALE and ASH compute of an image's activations. */
export interface Shaping {
  /** exp(sum / sum of the largest), `[batch, 1]`. */
  readonly factor: string;
  /** The sum of all, `[batch, 1]`. */
  readonly sum: string;
  /** The largest, `[batch, kept]`, in no order, and their columns. */
  readonly largest: string;
  readonly columns: string;
  readonly kept: number;
}

/**
 * The energy of the logits that the last layer makes of shaped activations, as a score.
 *
 * @param share of the activations that are not among the largest, [0, 1)
 * @param shape adds the nodes that shape them, `[batch, width]` both
 */
export function energyOfShaped(
  { head, width }: Training,
  share: number,
  shape: (nodes: NodeScope, headInput: string, shaping: Shaping) => string,
): FittedMethod {
  return {
    addScore(nodes, { headInput }) {
      const shaping = addShaping(nodes, headInput, width, share);
      return addEnergy(nodes, addHead(nodes, head, shape(nodes, headInput, shaping)));
    },
  };
}

function addShaping(nodes: NodeScope, input: string, width: number, share: number): Shaping {
  // NumPy's rounding, which the authors' code takes.
  const kept = width - roundHalfEven(width * share);
  const [largest, columns] = nodes.nodes(
    'TopK',
    [input, nodes.int64s('kept', [kept])],
    ['largest', 'columns'],
    { axis: 1, sorted: 0 },
  );
  const sum = nodes.reduce('ReduceSum', input, 1, 'sum');
  const top = nodes.reduce('ReduceSum', largest, 1, 'top');
  // An image without activations is left as it is.
  const positive = nodes.node('Max', [top, nodes.float('least', 1e-30)], 'positive');
  const factor = nodes.node('Exp', [nodes.node('Div', [sum, positive], 'ratio')], 'factor');
  return { factor, sum, largest, columns, kept };
}

/** The activations with zeros for all but the largest, which become other values `[batch, kept]`. */
export function addPruned(nodes: NodeScope, input: string, columns: string, values: string): string {
  const zeros = nodes.node('Mul', [input, nodes.float('zero', 0)], 'zeros');
  return nodes.node('ScatterElements', [zeros, columns, values], 'pruned', { axis: 1 });
}
