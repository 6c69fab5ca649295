import { elementCount } from '../../common/tensor.ts';
import { dynamicBatch } from '../../graph/dynamic-batch.ts';
import type { ModelProto, NodeProto } from '../../graph/onnx.ts';
import { inferShapes } from '../../graph/shapes.ts';

/** Bytes that a step takes for each byte of the network's values, and of its weights: measured on four backbones. */
const OF_VALUES = 1.4;
const OF_WEIGHTS = 6;
/** The program and onnxruntime. */
const BASE = 235 * 2 ** 20;

/**
 * The memory of a step of training, in bytes; within a tenth of what the bench of training measures of VGG16, ResNet-20 and
 * 34, and DenseNet100. Most of it is the network's values for each image, which the backward pass needs; the rest are the
 * windows of one convolution, laid out for the gradient of its filters, and weights, velocities and gradients.
 */
export function stepMemory(model: ModelProto, images: number): number {
  const types = inferShapes(dynamicBatch(model));
  /** Elements of a value, of one image. */
  const perImage = (name: string) => {
    const sizes = types.get(name)?.shape?.slice(1) ?? [];
    const isKnown = sizes.length > 0 && sizes.every((size) => typeof size === 'number');
    return isKnown ? elementCount(sizes as number[]) : 0;
  };
  const windows = ({ input, output }: NodeProto) => {
    const [outputs = 1, inputs = 0, ...kernel] = (types.get(input[1])?.shape ?? []) as number[];
    return (perImage(output[0]) / outputs) * Math.min(inputs, outputs) * elementCount(kernel);
  };
  const { node, initializer } = model.graph;
  const values = node.flatMap(({ output }) => output).reduce((sum, name) => sum + perImage(name), 0);
  const largest = Math.max(0, ...node.filter(({ opType }) => opType === 'Conv').map(windows));
  const weights = initializer.reduce((sum, { dims }) => sum + elementCount(dims), 0);
  return BASE + 4 * ((OF_VALUES * values + largest) * images + OF_WEIGHTS * weights);
}
