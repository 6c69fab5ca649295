import { GraphBuilder } from '../../graph/builder.ts';
import { NodeScope } from '../../graph/node-scope.ts';
import { ElementType } from '../../graph/onnx.ts';
import { encodeModel } from '../../graph/write.ts';
import * as ort from '../../runtime/onnxruntime.ts';
import type { Training } from './training.ts';

/**
 * What nodes make of each training image's head input: a number each.
 *
 * @param add adds them, and gives the name of the result, `[batch, 1]`
 */
export async function scoreTraining(
  training: Training,
  add: (nodes: NodeScope, values: { headInput: string }) => string,
): Promise<Float32Array> {
  const { width } = training;
  const graph = new GraphBuilder('score_training');
  const headInput = graph.input('head_input', ElementType.float, ['batch', width]);
  const score = add(new NodeScope(graph, 'la_ood'), { headInput });
  graph.output(score, ElementType.float, ['batch', 1]);
  const session = await ort.InferenceSession.create(encodeModel(graph.build()));
  const scores = new Float32Array(training.count);
  for (const { start, count, values } of training.headInputs()) {
    const outputs = await session.run({ head_input: new ort.Tensor('float32', values, [count, width]) });
    scores.set(outputs[score].data as Float32Array, start);
  }
  await session.release();
  return scores;
}
