import { GraphBuilder } from '../../graph/builder.ts';
import { NodeScope } from '../../graph/node-scope.ts';
import { ElementType } from '../../graph/onnx.ts';
import { encodeModel } from '../../graph/write.ts';
import * as ort from '../../runtime/onnxruntime.ts';
import type { Rows } from './training.ts';

/**
 * What nodes make of rows, block by block: onnxruntime computes it.
 *
 * @param width of the rows
 * @param add adds the nodes, rows `[n, width]` → the name of a float32 result of rank 2
 */
export async function* runOnRows(
  blocks: Iterable<Rows>,
  width: number,
  add: (nodes: NodeScope, rows: string) => string,
): AsyncGenerator<{ readonly block: Rows; readonly result: Float32Array }> {
  const graph = new GraphBuilder('rows');
  const rows = graph.input('rows', ElementType.float, ['n', width]);
  const result = add(new NodeScope(graph, 'la_ood'), rows);
  graph.output(result, ElementType.float, ['result_rows', 'result_columns']);
  const session = await ort.openSession(encodeModel(graph.build()));
  try {
    for (const block of blocks) {
      const outputs = await session.run({ rows: ort.tensor('float32', block.values, [block.count, width]) });
      yield { block, result: outputs[result].data as Float32Array };
    }
  } finally {
    await session.release();
  }
}
