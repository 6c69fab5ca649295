import { GraphBuilder } from '../../graph/builder.ts';
import { NodeScope } from '../../graph/node-scope.ts';
import { ElementType } from '../../graph/onnx.ts';
import { encodeModel } from '../../graph/write.ts';
import * as ort from '../../runtime/onnxruntime.ts';
import { requireFinite, type Training } from './training.ts';

/** What is known of all training images' head inputs after one pass. */
export interface HeadTotals {
  readonly mean: Float64Array;
  /** The smallest number of all. */
  readonly least: number;
}

/** Bytes of a block: each run of the graph takes some time, and what it reads twice is to be in the processor's cache. */
const BLOCK_BYTES = 4 << 20;

/**
 * The mean and the least number of the head inputs. onnxruntime sums blocks in float32, which are added up in float64.
 *
 * @throws DetectorError where a number is not finite, which names the image
 */
export function headTotals(training: Training): Promise<HeadTotals> {
  return training.shared('totals', async () => {
    const { width, count } = training;
    const session = await ort.openSession(encodeModel(totalsOfRows(width)));
    const mean = new Float64Array(width);
    let least = Number.POSITIVE_INFINITY;
    try {
      for (const block of training.uncheckedHeadInputs(BLOCK_BYTES)) {
        const rows = ort.tensor('float32', block.values, [block.count, width]);
        const totals = await session.run({ rows });
        const sums = totals.sums.data as Float32Array;
        if (!sums.every(Number.isFinite)) requireFinite(block, width);
        for (let j = 0; j < width; j++) mean[j] += sums[j] / count;
        for (const value of totals.least.data as Float32Array) if (value < least) least = value;
      }
    } finally {
      await session.release();
    }
    return { mean, least };
  });
}

function totalsOfRows(width: number) {
  const graph = new GraphBuilder('totals');
  const rows = graph.input('rows', ElementType.float, ['n', width]);
  const nodes = new NodeScope(graph, 'totals');
  graph.node('Identity', [nodes.reduce('ReduceSum', rows, 0, 'sum', 0)], { name: 'sums' });
  // Along rows, as they lie in memory: along columns it takes ten times as long.
  graph.node('Identity', [nodes.reduce('ReduceMin', rows, 1, 'minimum', 0)], { name: 'least' });
  graph.output('sums', ElementType.float, [width]);
  graph.output('least', ElementType.float, ['n']);
  return graph.build();
}
