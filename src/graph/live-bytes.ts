import { bytesPerElement } from '../common/tensor.ts';
import type { ModelProto } from './onnx.ts';
import { inferShapes, type ValueType } from './shapes.ts';
import { dtypeOf } from './tensor-proto.ts';
import { neededValues, sortNodes } from './topology.ts';

/**
 * The bytes of a graph's values that have to be in memory at once, at most, for one image: what was computed and is still
 * needed, and what is being computed. Sizes with a name are taken for the batch's, and values of unknown shape for nothing.
 */
export function largestLiveBytes(model: ModelProto): number {
  const types = inferShapes(model);
  const nodes = sortNodes(model.graph, `graph ${model.graph.name}`);
  const lastUse = new Map<string, number>();
  for (const [at, node] of nodes.entries()) for (const name of neededValues(node)) lastUse.set(name, at);
  for (const { name } of model.graph.output) lastUse.set(name, nodes.length);
  const sizes = new Map<string, number>();
  let live = 0;
  let largest = 0;
  for (const [at, node] of nodes.entries()) {
    if (node.opType === 'Constant') continue;
    for (const name of node.output) {
      const bytes = bytesOf(types.get(name));
      sizes.set(name, bytes);
      live += bytes;
    }
    largest = Math.max(largest, live);
    for (const name of new Set([...node.output, ...neededValues(node)]))
      if ((lastUse.get(name) ?? at) <= at) {
        live -= sizes.get(name) ?? 0;
        sizes.delete(name);
      }
  }
  return largest;
}

function bytesOf({ elemType, shape }: ValueType = {}): number {
  const dtype = elemType === undefined ? undefined : dtypeOf(elemType);
  if (!shape || !dtype) return 0;
  return shape.reduce<number>(
    (product, size) => product * (typeof size === 'number' ? size : 1),
    bytesPerElement(dtype),
  );
}
