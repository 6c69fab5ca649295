import { dynamicBatch } from '../graph/dynamic-batch.ts';
import type { ModelProto } from '../graph/onnx.ts';
import { requiredInputs } from '../graph/topology.ts';
import type { Tensors } from '../runtime/graph-session.ts';
import { SessionPool } from '../runtime/session-pool.ts';
import type { TrainingBatch } from './batch-maker.ts';

/**
 * Runs a network as it is used, by its running statistics, on all batches, and gives the results in their order.
 *
 * @param outputs which of its outputs are wanted
 */
export async function* runBatches(
  model: ModelProto,
  batches: AsyncIterable<TrainingBatch>,
  outputs: readonly string[],
): AsyncGenerator<{ batch: TrainingBatch; outputs: Tensors }, void, undefined> {
  const [{ name }] = requiredInputs(model.graph);
  const pool = await SessionPool.open(dynamicBatch(model), 'cpu');
  const running: Promise<{ batch: TrainingBatch; outputs: Tensors }>[] = [];
  try {
    for await (const batch of batches) {
      const { shape, images: data } = batch;
      const feeds: Tensors = { [name]: { dtype: 'float32', shape, data } };
      const result = pool.run(feeds, outputs).then((found) => ({ batch, outputs: found }));
      // A failure is told when this batch's turn comes; until then Node would take it for a crash.
      result.catch(() => {});
      running.push(result);
      if (running.length > pool.size) yield await running.shift()!;
    }
    for (const result of running) yield await result;
  } finally {
    await pool.close();
  }
}
