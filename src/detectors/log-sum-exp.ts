import type { GraphBuilder } from '../graph/builder.ts';

/**
 * Adds log Σ exp of each row of a value `[batch, n]`, under a name, `[batch, 1]`. It is v_0 − log softmax(v)_0, which is
 * safe from overflow on every device; LogSoftmax is the same in every opset on two dimensions.
 */
export function addLogSumExp(graph: GraphBuilder, value: string, name: string): string {
  const first = graph.int64s(`${name}/first`, [0]);
  const ofFirst = (of: string, word: string) =>
    graph.node('Gather', [of, first], { name: `${name}/first_${word}`, attributes: { axis: 1 } });
  const logSoftmax = graph.node('LogSoftmax', [value], {
    name: `${name}/log_softmax`,
    attributes: { axis: 1 },
  });
  return graph.node('Sub', [ofFirst(value, 'value'), ofFirst(logSoftmax, 'log_softmax')], { name });
}
