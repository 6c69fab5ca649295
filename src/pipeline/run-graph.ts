import { GraphError } from '../common/errors.ts';
import type { Tensor } from '../common/tensor.ts';
import type { ModelProto } from '../graph/onnx.ts';
import { GraphSession, type Tensors } from '../runtime/graph-session.ts';

/**
 * Runs a graph from pixels once, on the CPU, to see what it does.
 *
 * @param model its input is `pixels`, uint8 N×H×W×3 (see `prependPreprocessing`)
 * @param pixels bytes of whole images
 * @param atOnce images a run
 * @returns the outputs of each run
 * @throws GraphError where onnxruntime cannot run it
 */
export async function runOnPixels(
  model: ModelProto,
  where: string,
  { pixels, atOnce, height, width }: { pixels: Uint8Array; atOnce: number; height: number; width: number },
): Promise<Tensors[]> {
  const bytes = atOnce * height * width * 3;
  const tensor = (data: Uint8Array): Tensor => ({ dtype: 'uint8', shape: [atOnce, height, width, 3], data });
  let session: GraphSession | undefined;
  try {
    session = await GraphSession.open(model, { device: 'cpu' });
    const runs: Tensors[] = [];
    for (let start = 0; start < pixels.length; start += bytes)
      runs.push(await session.run({ pixels: tensor(pixels.slice(start, start + bytes)) }));
    return runs;
  } catch (error) {
    throw new GraphError(where, `onnxruntime cannot run it: ${(error as Error).message}`, 'export it again');
  } finally {
    await session?.close();
  }
}
