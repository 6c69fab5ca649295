import { elementCount } from '../../common/tensor.ts';
import { dynamicBatch } from '../../graph/batch.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { inferShapes } from '../../graph/shapes.ts';

/** Bytes that a step takes for each byte of the network's values, and of its weights: measured on the three backbones. */
const OF_VALUES = 1.4;
const OF_WEIGHTS = 6;
/** The program and onnxruntime. */
const BASE = 150 * 2 ** 20;

/**
 * The memory of a step of training, in bytes, within about a fifth. Nearly all of it is what the network yields for each
 * image, which the way back needs; the rest are weights, velocities and gradients.
 */
export function stepMemory(model: ModelProto, images: number): number {
  const types = inferShapes(dynamicBatch(model));
  const values = model.graph.node
    .flatMap(({ output }) => output)
    .map((name) => types.get(name)?.shape?.slice(1) ?? [])
    .filter((sizes) => sizes.length > 0 && sizes.every((size) => typeof size === 'number'))
    .reduce((sum, sizes) => sum + elementCount(sizes as number[]), 0);
  const weights = model.graph.initializer.reduce((sum, { dims }) => sum + elementCount(dims), 0);
  return BASE + 4 * (OF_VALUES * values * images + OF_WEIGHTS * weights);
}
