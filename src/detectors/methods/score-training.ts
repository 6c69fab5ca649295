import { GraphBuilder } from '../../graph/builder.ts';
import { NodeScope } from '../../graph/node-scope.ts';
import { ElementType } from '../../graph/onnx.ts';
import { encodeModel } from '../../graph/write.ts';
import * as ort from '../../runtime/onnxruntime.ts';
import type { Rows, Training } from './training.ts';

/** Adds nodes that score head inputs. Gives the name of the result, `[batch, 1]`. */
type AddNodes = (nodes: NodeScope, values: { headInput: string }) => string;

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
  total: number,
  width: number,
  add: AddNodes,
): Promise<Float32Array> {
  const graph = new GraphBuilder('scores');
  const headInput = graph.input('head_input', ElementType.float, ['batch', width]);
  const score = add(new NodeScope(graph, 'la_ood'), { headInput });
  graph.output(score, ElementType.float, ['batch', 1]);
  const session = await ort.openSession(encodeModel(graph.build()));
  const scores = new Float32Array(total);
  for (const { start, count, values } of blocks) {
    const outputs = await session.run({ head_input: ort.tensor('float32', values, [count, width]) });
    scores.set(outputs[score].data as Float32Array, start);
  }
  await session.release();
  return scores;
}
