import type { ImageSize } from '../../data/image-set.ts';
import { GraphError } from '../common/errors.ts';
import type { ModelProto } from '../graph/onnx.ts';
import { GraphSession, type Tensors } from '../runtime/graph-session.ts';

/**
 * Runs a graph from pixels, on the CPU, to see what it does.
 *
 * @param model its input is `pixels`, uint8 N×H×W×3 (see `prependPreprocessing`)
 * @param runs for each run, the bytes of its images
 * @returns the outputs of each run
 * @throws GraphError where onnxruntime cannot run it
 */
export async function runOnPixels(
  model: ModelProto,
  where: string,
  { height, width }: ImageSize,
  runs: readonly Uint8Array[],
): Promise<Tensors[]> {
  let session: GraphSession | undefined;
  try {
    session = await GraphSession.open(model, { device: 'cpu' });
    const outputs: Tensors[] = [];
    for (const data of runs) {
      const shape = [data.length / (3 * height * width), height, width, 3];
      outputs.push(await session.run({ pixels: { dtype: 'uint8', shape, data } }));
    }
    return outputs;
  } catch (error) {
    throw new GraphError(where, `onnxruntime cannot run it: ${(error as Error).message}`, 'export it again');
  } finally {
    await session?.close();
  }
}
