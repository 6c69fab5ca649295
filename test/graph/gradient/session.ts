import type { ModelProto } from '../../../src/graph/onnx.ts';
import { encodeModel } from '../../../src/graph/write.ts';
import * as ort from '../../../src/runtime/onnxruntime.ts';

/** Values by name: float32 data and sizes. */
export type Values = Readonly<Record<string, { data: Float32Array; shape: readonly number[] }>>;

/** Opens a graph of float32 values on onnxruntime, and gives what runs it. */
export async function opened(
  model: ModelProto,
): Promise<(feeds: Values) => Promise<Record<string, Float32Array>>> {
  const session = await ort.openSession(encodeModel(model), {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  return async (feeds) => {
    const inputs = session.inputNames.map(
      (name) => [name, ort.tensor('float32', feeds[name].data, feeds[name].shape)] as const,
    );
    const results = await session.run(Object.fromEntries(inputs));
    return Object.fromEntries(
      Object.entries(results).map(([name, { data }]) => [name, data as Float32Array]),
    );
  };
}
