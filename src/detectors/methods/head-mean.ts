import type { NodeScope } from '../../graph/node-scope.ts';
import { runOnRows } from './run-on-rows.ts';
import { requireFinite, type Training } from './training.ts';

/** Bytes of a block: each run of the graph takes some time, and its numbers are to be in the processor's cache. */
const BLOCK_BYTES = 4 << 20;

/**
 * The mean of the head inputs. onnxruntime sums blocks in float32, which are added up in float64.
 *
 * @throws DetectorError where a number is not finite, which names the image
 */
export function headMean(training: Training): Promise<Float64Array> {
  return training.shared('mean', async () => {
    const { width, count } = training;
    const mean = new Float64Array(width);
    const blocks = training.uncheckedHeadInputs(BLOCK_BYTES);
    for await (const { block, result: sums } of runOnRows(blocks, width, addColumnSums)) {
      if (!sums.every(Number.isFinite)) requireFinite(block, width);
      for (let j = 0; j < width; j++) mean[j] += sums[j] / count;
    }
    return mean;
  });
}

/** As a product by a row of ones: ReduceSum over rows takes twice as long. */
function addColumnSums(nodes: NodeScope, rows: string): string {
  const count = nodes.node('Shape', [rows], 'count', { start: 0, end: 1 });
  const shape = nodes.node('Concat', [nodes.int64s('one', [1]), count], 'shape', { axis: 0 });
  const one = { dtype: 'float32', shape: [1], data: Float32Array.of(1) } as const;
  const ones = nodes.node('ConstantOfShape', [shape], 'ones', { value: one });
  return nodes.node('MatMul', [ones, rows], 'sums');
}
