import { GraphBuilder } from '../../graph/builder.ts';
import { NodeScope } from '../../graph/node-scope.ts';
import { ElementType } from '../../graph/onnx.ts';
import { encodeModel } from '../../graph/write.ts';
import * as ort from '../../runtime/onnxruntime.ts';
import { addNormalized } from './operators.ts';
import { BLOCK_BYTES, requireFinite, type Training } from './training.ts';

export interface HeadOptions {
  /** Whether head inputs are brought to length 1 before. */
  readonly normalized: boolean;
}

/**
 * The sums of head inputs by group: groups × width. onnxruntime adds rows up in float64.
 *
 * @param groupOf the group of each image; those of none, `groups` or more, are left out
 * @throws DetectorError where a number of a group is not finite, which names the image
 */
export async function groupSums(
  training: Training,
  { normalized }: HeadOptions,
  groupOf: Uint32Array,
  groups: number,
): Promise<{ sums: Float64Array; counts: Float64Array }> {
  const { width } = training;
  const sums = new Float64Array(groups * width);
  const counts = new Float64Array(groups);
  // ScatterND's threads would add to the same sum at once, and lose some.
  const oneThread = { intraOpNumThreads: 1 };
  const session = await ort.openSession(encodeModel(sumsOfRows(width, groups, normalized)), oneThread);
  try {
    // A block is no smaller than its sums, which are added to all.
    const bytes = Math.max(BLOCK_BYTES, 8 * groups * width);
    for (const { start, count, values } of training.uncheckedHeadInputs(bytes)) {
      const own = new Int32Array(count);
      for (let row = 0; row < count; row++) {
        const group = Math.min(groups, groupOf[start + row]);
        own[row] = group;
        if (group < groups) counts[group]++;
      }
      const { sums: some } = await session.run({
        rows: ort.tensor('float32', values, [count, width]),
        group_of: ort.tensor('int32', own, [count, 1]),
      });
      const added = some.data as Float64Array;
      for (let i = 0; i < sums.length; i++) sums[i] += added[i];
    }
  } finally {
    await session.release();
  }
  // In float64 no sum of finite float32 numbers overflows: it is not finite where one of them is not.
  if (!sums.every(Number.isFinite))
    for (const block of training.uncheckedHeadInputs()) requireFinite(block, width);
  return { sums, counts };
}

/** The last row of its result has those of no group. */
function sumsOfRows(width: number, groups: number, normalized: boolean) {
  const graph = new GraphBuilder('group_sums');
  const nodes = new NodeScope(graph, 'group_sums');
  const rows = graph.input('rows', ElementType.float, ['n', width]);
  const groupOf = graph.input('group_of', ElementType.int32, ['n', 1]);
  const shape = nodes.int64s('shape', [groups + 1, width]);
  const zero = { dtype: 'float64', shape: [1], data: Float64Array.of(0) } as const;
  const zeros = nodes.node('ConstantOfShape', [shape], 'zeros', { value: zero });
  const at = nodes.node('Cast', [groupOf], 'at', { to: ElementType.int64 });
  const prepared = normalized ? addNormalized(nodes, rows) : rows;
  const doubles = nodes.node('Cast', [prepared], 'doubles', { to: ElementType.double });
  graph.node('ScatterND', [zeros, at, doubles], { name: 'sums', attributes: { reduction: 'add' } });
  graph.output('sums', ElementType.double, [groups + 1, width]);
  return graph.build();
}
