import { availableParallelism } from 'node:os';
import { largestLiveBytes } from '../graph/live-bytes.ts';
import type { ModelProto } from '../graph/onnx.ts';

/** Bytes that running a graph may take beyond its weights, unless something else is asked for. */
export const DEFAULT_MEMORY = 2 * 2 ** 30;

/** What the program takes besides: Node, its workers, images that are being decoded. */
const PROGRAM = 400 * 2 ** 20;

/**
 * onnxruntime's arenas are larger than what they hold, and its convolutions rearrange what they take: an image more in a batch takes 2.5
 * times what is alive at once in PP-LCNet, 3 times in EfficientNet-Lite0, 3.5 times in a plain network of 320 pixels.
 */
const OVERHEAD = 3.5;

/** onnxruntime keeps some of the weights a second time, rearranged for its kernels, and while it loads a model that as well. */
const COPIES = 3;

/** Larger batches are no faster anywhere. */
const LARGEST_BATCH = 128;

/** With smaller batches than this in each, fewer sessions are better. */
const SMALL_BATCH = 4;

/** How many sessions run a graph side by side, and with how many images each at most. */
export interface MemoryPlan {
  readonly sessions: number;
  readonly largestBatch: number;
}

/**
 * As many sessions as there are cores, or as many as fit into the memory: their weights but for the first copy, and the
 * values that are alive in them. At least one session, of one image.
 *
 * @param memory bytes beyond the weights, 2 GiB where absent
 */
export function planMemory(
  model: ModelProto,
  memory = DEFAULT_MEMORY,
  cores = availableParallelism(),
): MemoryPlan {
  const batchOf = fittingBatch(model, memory);
  let sessions = cores;
  while (sessions > 1 && batchOf(sessions) < SMALL_BATCH) sessions--;
  return { sessions, largestBatch: Math.max(1, Math.min(LARGEST_BATCH, batchOf(sessions))) };
}

/**
 * Samples that a run of a graph in a single session may have.
 *
 * @param memory bytes beyond the weights, 2 GiB where absent
 * @param most no more than these
 */
export function largestBatch(model: ModelProto, memory = DEFAULT_MEMORY, most = LARGEST_BATCH): number {
  return Math.max(1, Math.min(most, fittingBatch(model, memory)(1)));
}

/** The images that a run of each of so many sessions may have, which may be none. */
function fittingBatch(model: ModelProto, memory: number): (sessions: number) => number {
  const weights = model.graph.initializer.reduce((sum, { rawData }) => sum + (rawData?.byteLength ?? 0), 0);
  const perImage = Math.max(1, OVERHEAD * largestLiveBytes(model));
  return (sessions) =>
    Math.floor((memory - PROGRAM - (COPIES * sessions - 1) * weights) / (sessions * perImage));
}
