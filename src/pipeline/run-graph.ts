import type { ImageSize } from '../../data/image-set.ts';
import { collectGarbage } from '../common/collect.ts';
import { GraphError } from '../common/errors.ts';
import { ElementType, type ModelProto } from '../graph/onnx.ts';
import type { Setting } from '../runtime/device.ts';
import { GraphSession, type Tensors } from '../runtime/graph-session.ts';

/**
 * Runs a graph from pixels, on the CPU, to see what it does.
 *
 * @param model its input is `pixels`, uint8 N×H×W×3 (see `prependPreprocessing`)
 * @param where the file, for errors
 * @param runs for each run, the bytes of its images
 * @returns the outputs of each run
 * @throws GraphError where onnxruntime cannot run it
 */
export async function runOnPixels(
  model: ModelProto,
  where: string,
  { height, width }: ImageSize,
  runs: readonly Uint8Array[],
  setting: Pick<Setting, 'optimization' | 'single'> = { single: true },
): Promise<Tensors[]> {
  let session: GraphSession | undefined;
  try {
    session = await GraphSession.open(model, { device: 'cpu', ...setting });
    const outputs: Tensors[] = [];
    for (const data of runs) {
      const shape = [data.length / (3 * height * width), height, width, 3];
      outputs.push(await session.run({ pixels: { dtype: 'uint8', shape, data } }));
    }
    return outputs;
  } catch (error) {
    throw notRunnable(model, where, error as Error);
  } finally {
    await session?.close();
    // What has been run is as large as the model.
    collectGarbage();
  }
}

/** What onnxruntime says, without its own places in its own source. */
function notRunnable(model: ModelProto, where: string, { message }: Error): GraphError {
  const [, missing] = /Could not find an implementation for (\w+)\(/.exec(message) ?? [];
  if (missing === undefined) {
    const [, operator] = /while running (\w+) node/.exec(message) ?? [];
    const [, reason = message] =
      /Status Message: (?:\S*\/\S+:\d+ .*? was false\. )?(.*)/s.exec(message) ?? [];
    const text = reason.trim().replace(/\s*\n\s*/g, ' ');
    return new GraphError(
      where,
      `onnxruntime cannot run ${operator ? `its ${operator}` : 'it'}: ${text}`,
      'export it again',
    );
  }
  const isDouble = model.graph.initializer.some(({ dataType }) => dataType === ElementType.double);
  return isDouble
    ? new GraphError(
        where,
        `computes in float64, for which onnxruntime has no ${missing}`,
        'export it in float32 (in PyTorch: model.float())',
      )
    : new GraphError(
        where,
        `onnxruntime has no ${missing} for the element types that it uses`,
        'export it in float32, or with another opset',
      );
}
