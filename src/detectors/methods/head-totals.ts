import { GraphBuilder } from '../../graph/builder.ts';
import { NodeScope } from '../../graph/node-scope.ts';
import { ElementType } from '../../graph/onnx.ts';
import { encodeModel } from '../../graph/write.ts';
import * as ort from '../../runtime/onnxruntime.ts';
import { type Rows, requireFinite, type Training } from './training.ts';

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
    await overBlocks(training, addColumnSums, (sums, block) => {
      if (!sums.every(Number.isFinite)) requireFinite(block, width);
      for (let j = 0; j < width; j++) mean[j] += sums[j] / count;
    });
    return mean;
  });
}

/**
 * The smallest number of all head inputs.
 *
 * @throws DetectorError where a number is not finite, which names the image
 */
export function leastHeadInput(training: Training): Promise<number> {
  return training.shared('least', async () => {
    // A minimum may pass over NaN, a sum does not.
    await headMean(training);
    let least = Number.POSITIVE_INFINITY;
    await overBlocks(training, addRowMinima, (minima) => {
      for (const value of minima) if (value < least) least = value;
    });
    return least;
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

/** Along rows, as they lie in memory: along columns it takes ten times as long. */
function addRowMinima(nodes: NodeScope, rows: string): string {
  return nodes.reduce('ReduceMin', rows, 1, 'minima');
}

/** Runs a graph over the head inputs, block by block. */
async function overBlocks(
  training: Training,
  add: (nodes: NodeScope, rows: string) => string,
  onBlock: (output: Float32Array, block: Rows) => void,
): Promise<void> {
  const { width } = training;
  const graph = new GraphBuilder('reduction');
  const rows = graph.input('rows', ElementType.float, ['n', width]);
  const output = add(new NodeScope(graph, 'reduction'), rows);
  graph.output(output, ElementType.float, ['rows', 'columns']);
  const session = await ort.openSession(encodeModel(graph.build()));
  try {
    for (const block of training.uncheckedHeadInputs(BLOCK_BYTES)) {
      const outputs = await session.run({ rows: ort.tensor('float32', block.values, [block.count, width]) });
      onBlock(outputs[output].data as Float32Array, block);
    }
  } finally {
    await session.release();
  }
}
