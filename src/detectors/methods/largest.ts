import type { NodeScope } from '../../graph/node-scope.ts';

/** Columns of a group. */
export const GROUP = 16;

/**
 * The k largest of each row's many columns, in falling order, and where they are: `[rows, k]` and `[rows, k]` int64.
 *
 * A scan for the largest of thousands of numbers is slow; maxima over groups of them are vectorised. The k largest lie in
 * the k groups with the largest maxima: only those are scanned. Column c belongs to group c mod (columns / 16).
 *
 * @param columns how many there are, a multiple of `GROUP`
 */
export function addLargest(
  nodes: NodeScope,
  values: string,
  columns: number,
  k: number,
): { largest: string; columns: string } {
  const groups = columns / GROUP;
  const count = nodes.int64s('k', [k]);
  if (groups <= k) {
    const [largest, at] = nodes.nodes('TopK', [values, count], ['largest', 'columns'], { axis: 1 });
    return { largest, columns: at };
  }
  const grouped = nodes.node('Reshape', [values, nodes.int64s('table', [-1, GROUP, groups])], 'grouped');
  const maxima = nodes.reduce('ReduceMax', grouped, 1, 'maxima', 0);
  const [, best] = nodes.nodes('TopK', [maxima, count], ['best_maxima', 'best_groups'], {
    axis: 1,
    sorted: 0,
  });
  const rows = nodes.node('Unsqueeze', [best, nodes.int64s('group_axis', [1])], 'best_row');
  const expanded = nodes.node('Expand', [rows, nodes.int64s('rows', [1, GROUP, 1])], 'best_rows');
  const scanned = nodes.node('GatherElements', [grouped, expanded], 'scanned', { axis: 2 });
  const flat = nodes.node('Reshape', [scanned, nodes.int64s('flat', [-1, GROUP * k])], 'scanned_flat');
  const [largest, at] = nodes.nodes('TopK', [flat, count], ['largest', 'scanned_at'], { axis: 1 });
  const width = nodes.int64('width', k);
  const column = nodes.node('Mod', [at, width], 'scanned_column');
  const row = nodes.node('Div', [at, width], 'scanned_row');
  const group = nodes.node('GatherElements', [best, column], 'group', { axis: 1 });
  const offset = nodes.node('Mul', [row, nodes.int64('groups', groups)], 'offset');
  return { largest, columns: nodes.node('Add', [offset, group], 'columns') };
}
