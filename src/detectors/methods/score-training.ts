import type { NodeScope } from '../../graph/node-scope.ts';
import { runOnRows } from './run-on-rows.ts';
import type { Rows, Training } from './training.ts';

/** Adds nodes that score head inputs. Gives the name of the result, `[batch, 1]`. */
type AddNodes = (nodes: NodeScope, headInput: string) => string;

/** What nodes make of each training image's head input: a number each. */
export function scoreTraining(training: Training, add: AddNodes): Promise<Float32Array> {
  return scoreBlocks(training.headInputs(), training.count, training.width, add);
}

/** The same of rows. */
export function scoreRows(values: Float32Array, width: number, add: AddNodes): Promise<Float32Array> {
  const count = values.length / width;
  return scoreBlocks([{ start: 0, count, values }], count, width, add);
}

async function scoreBlocks(
  blocks: Iterable<Rows>,
  count: number,
  width: number,
  add: AddNodes,
): Promise<Float32Array> {
  const scores = new Float32Array(count);
  for await (const { block, result } of runOnRows(blocks, width, add)) scores.set(result, block.start);
  return scores;
}
