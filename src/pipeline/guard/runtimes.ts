import { availableParallelism } from 'node:os';
import type { Geometry } from '../../../data/image-set.ts';
import { GraphError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import { toFloat32 } from '../../common/tensor.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import type { Setting } from '../../runtime/device.ts';
import { GraphSession } from '../../runtime/graph-session.ts';
import { planMemory } from '../../runtime/memory.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';

/** Images that a guard is tried on: count × height × width × 3. */
export interface TrialImages {
  readonly pixels: Uint8Array;
  readonly count: number;
  readonly size: Geometry;
  /** The number that the graph takes at once; absent where it takes any. */
  readonly batch?: number;
}

export interface TrialOptions {
  /** Bytes that running a graph may take beyond its weights; 2 GiB where absent. */
  readonly memory?: number;
  readonly onProgress?: OnProgress;
}

/** What a guard says of images at no and at full optimization, single and batched. */
export interface RuntimeComparison {
  readonly images: number;
  /** The largest difference of a p-value. */
  readonly pValue: number;
  /** Images on which decisions differ; all have p-values next to the rate. */
  readonly flips: number;
}

/** Images of a batched run. */
const BATCHED = 8;

/** A decision may differ where the p-value is as near to the rate, or one rank where that is more. */
const NEAR = 0.005;

/**
 * Runs a guard on images at ORT_DISABLE_ALL and at full optimization, one image at a time and eight.
 *
 * @param file the name that its file is to have, for errors
 * @throws GraphError where a decision differs on an image whose p-value is not next to the rate
 */
export async function compareRuntimes(
  model: ModelProto,
  file: string,
  images: TrialImages,
  { rate, count }: { readonly rate: number; readonly count: number },
  options: TrialOptions = {},
): Promise<RuntimeComparison> {
  const names = model.graph.output.map(({ name }) => name).filter((name) => name.endsWith('p_value'));
  const runs = await everyWay(model, images, [...names, 'is_ood'], 'trying the guard', options);
  const [first] = runs;
  let [pValue, flips] = [0, 0];
  for (let i = 0; i < images.count; i++) {
    for (const run of runs)
      for (const name of names) pValue = Math.max(pValue, Math.abs(run[name][i] - first[name][i]));
    if (runs.every(({ is_ood }) => is_ood[i] === first.is_ood[i])) continue;
    flips++;
    const away = Math.max(...runs.map(({ p_value }) => Math.abs(p_value[i] - rate)));
    if (away > Math.max(NEAR, (1 + 1e-6) / (count + 1)))
      throw new GraphError(
        file,
        `decides otherwise at another optimization level or batch size, on image ${i} of ${images.count}, by a p-value of ${first.p_value[i].toPrecision(2)}`,
        'do not use it, and report this',
      );
  }
  return { images: images.count, pValue, flips };
}

/** The float error of each feature of conditions: its largest difference between ways to run the graph. */
export async function floatErrors(
  graph: FeatureGraph,
  images: TrialImages,
  options: TrialOptions = {},
): Promise<Float64Array> {
  const { taps, widths, conditionTaps } = graph;
  const own = conditionTaps.map((tap) => widths[taps.indexOf(tap)]);
  const runs = await everyWay(graph.model, images, conditionTaps, 'rounding of features', options);
  return Float64Array.from(
    conditionTaps.flatMap((tap, t) =>
      Array.from({ length: own[t] }, (_, j) => {
        let largest = 0;
        for (const run of runs)
          for (let at = j; at < run[tap].length; at += own[t])
            largest = Math.max(largest, Math.abs(run[tap][at] - runs[0][tap][at]));
        return largest;
      }),
    ),
  );
}

/** The outputs of a graph of pixels in each way to run it, as many ways at a time as there are cores, or as the memory is for. */
async function everyWay(
  model: ModelProto,
  images: TrialImages,
  outputs: readonly string[],
  task: string,
  { memory, onProgress }: TrialOptions,
): Promise<Record<string, Float32Array>[]> {
  const { sessions, largestBatch } = planMemory(model, memory);
  const batches = images.batch ? [images.batch] : [...new Set([1, Math.min(BATCHED, largestBatch)])];
  const ways = (['all', 'disabled'] as const).flatMap((optimization) =>
    batches.map((batch) => ({ optimization, batch })),
  );
  const atOnce = Math.min(sessions, ways.length);
  const threads = Math.ceil(availableParallelism() / atOnce);
  let done = 0;
  const tell = (count: number) => {
    done += count;
    onProgress?.({ task, done, total: ways.length * images.count, unit: 'images' });
  };
  tell(0);
  const runs: Record<string, Float32Array>[] = [];
  const waiting = ways.entries();
  const runWaiting = async () => {
    for (const [way, { batch, optimization }] of waiting)
      runs[way] = await runAll(model, images, outputs, batch, { optimization, threads }, tell);
  };
  await Promise.all(Array.from({ length: atOnce }, runWaiting));
  return runs;
}

async function runAll(
  model: ModelProto,
  { pixels, count, size: { height, width } }: TrialImages,
  outputs: readonly string[],
  batch: number,
  setting: Setting,
  tell: (count: number) => void,
): Promise<Record<string, Float32Array>> {
  const stride = height * width * 3;
  const parts = new Map(outputs.map((name) => [name, [] as Float32Array[]]));
  const session = await GraphSession.open(model, { device: 'cpu', ...setting });
  try {
    for (let start = 0; start < count; start += batch) {
      const end = Math.min(count, start + batch);
      const data = pixels.slice(start * stride, end * stride);
      const results = await session.run(
        { pixels: { dtype: 'uint8', shape: [end - start, height, width, 3], data } },
        outputs,
      );
      for (const [name, own] of parts) own.push(toFloat32(results[name]));
      tell(end - start);
    }
  } finally {
    await session.close();
  }
  return Object.fromEntries([...parts].map(([name, own]) => [name, joined(own)]));
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
