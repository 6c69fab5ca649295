import { batches } from '../../../data/batches.ts';
import type { Geometry, ImageSet } from '../../../data/image-set.ts';
import type { OnProgress } from '../../common/progress.ts';
import { toFloat32 } from '../../common/tensor.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { SessionPool } from '../../runtime/session-pool.ts';
import type { FeatureOutputs } from '../features/feature-rows.ts';

export interface ImageRunOptions {
  readonly device?: DeviceName;
  /** Images a run; 8 where absent, or as many as the memory is for. */
  readonly batch?: number;
  /** Bytes that running the model may take beyond its weights; 2 GiB where absent. */
  readonly memory?: number;
  readonly onProgress?: OnProgress;
}

/** Images of a run where nothing else is said. */
const DEFAULT_BATCH = 8;

/**
 * Images of each run of a guard.
 *
 * @param only the number that the graph takes at once; absent where it takes any
 */
export function batchOf(pool: SessionPool, only: number | undefined, asked: number | undefined): number {
  return only ?? asked ?? Math.min(DEFAULT_BATCH, pool.largestBatch);
}

/**
 * Runs a graph of `pixels` over a set of images.
 *
 * @param only the number of images that the graph takes at once; absent where it takes any
 * @throws DataError where images cannot be read
 */
export async function outputsOnImages(
  model: ModelProto,
  images: ImageSet,
  { size, batch: only }: { readonly size: Geometry; readonly batch?: number },
  wanted: readonly string[],
  { device, memory, onProgress, batch: asked }: ImageRunOptions,
): Promise<FeatureOutputs> {
  const pool = await SessionPool.open(model, device, memory);
  const batch = batchOf(pool, only, asked);
  const all = new Map<string, Float32Array>();
  let done = 0;
  const run = async (start: number, count: number, pixels: Uint8Array) => {
    const shape = [count, size.height, size.width, 3];
    const outputs = await pool.run({ pixels: { dtype: 'uint8', shape, data: pixels } }, wanted);
    for (const name of wanted) {
      const values = toFloat32(outputs[name]);
      const width = values.length / count;
      if (!all.has(name)) all.set(name, new Float32Array(images.length * width));
      all.get(name)!.set(values, start * width);
    }
    done += count;
    onProgress?.({ task: `score ${images.name}`, done, total: images.length, unit: 'images' });
  };
  const running = new Set<Promise<void>>();
  try {
    for await (const { start, count, pixels } of batches(images, { batch, size })) {
      const own = run(start, count, pixels).finally(() => running.delete(own));
      // Whoever waits below is told of a failure; until then Node would take it for a crash.
      own.catch(() => {});
      running.add(own);
      if (running.size > pool.size) await Promise.race(running);
    }
    await Promise.all(running);
    return all;
  } finally {
    await pool.close();
  }
}
