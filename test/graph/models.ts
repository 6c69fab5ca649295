import { InferenceSession, Tensor } from 'onnxruntime-node';
import { elementCount } from '../../src/common/tensor.ts';
import { float, GraphBuilder } from '../../src/graph/builder.ts';
import { ElementType, type ModelProto } from '../../src/graph/onnx.ts';
import { encodeModel } from '../../src/graph/write.ts';

/** Numbers that look random and are the same in every run. */
export function numbers(count: number, seed = 1): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * 12.9898 * seed) * 0.5);
}

/** Feeds a model with float32 (or uint8) inputs and gives its outputs. */
export async function runModel(
  model: ModelProto,
  feeds: Record<string, { data: Float32Array | Uint8Array; dims: number[] }>,
): Promise<Record<string, Tensor>> {
  const session = await InferenceSession.create(encodeModel(model), { logSeverityLevel: 3 });
  try {
    const inputs = Object.entries(feeds).map(([name, { data, dims }]) => [
      name,
      data instanceof Uint8Array ? new Tensor('uint8', data, dims) : new Tensor('float32', data, dims),
    ]);
    return (await session.run(Object.fromEntries(inputs))) as Record<string, Tensor>;
  } finally {
    await session.release();
  }
}

export interface SmallNet {
  readonly batch?: number | string;
  readonly opset?: number;
  readonly input?: string;
}

/**
 * A convolutional classifier of 5 classes on 3×8×8 images: `conv1`, `relu1`, `conv2` (whose node has another name than
 * its value `features`), `pool`, `flat`, `logits`.
 */
export function smallNet({ batch = 'batch', opset = 18, input = 'image' }: SmallNet = {}): ModelProto {
  const graph = new GraphBuilder('small');
  const weight = (name: string, ...shape: number[]) =>
    graph.initializer(name, { dtype: 'float32', shape, data: numbers(elementCount(shape), shape.length) });
  graph.input(input, ElementType.float, [batch, 3, 8, 8]);
  graph.node('Conv', [input, weight('conv1.weight', 6, 3, 3, 3)], {
    name: 'conv1',
    attributes: { pads: [1, 1, 1, 1] },
  });
  graph.node('Relu', ['conv1'], { name: 'relu1' });
  graph.node('Conv', ['relu1', weight('conv2.weight', 4, 6, 3, 3)], {
    name: 'conv2',
    outputs: ['features'],
    attributes: { strides: [2, 2] },
  });
  graph.node('GlobalAveragePool', ['features'], { name: 'pool' });
  graph.node('Flatten', ['pool'], { name: 'flat' });
  graph.node('Gemm', ['flat', weight('fc.weight', 5, 4), weight('fc.bias', 5)], {
    name: 'logits',
    attributes: { transB: 1, alpha: float(1) },
  });
  graph.output('logits', ElementType.float, [batch, 5]);
  return graph.build({ opset });
}

/** y = If(true) { Relu(a) } else { Neg(a) }, a = Abs(x). */
export function branching(): ModelProto {
  const branch = (opType: string) => {
    const inner = new GraphBuilder(opType);
    inner.input('a', ElementType.float, []);
    inner.node(opType, ['a'], { name: opType });
    inner.output(opType, ElementType.float, [1, 2, 2, 2]);
    return { ...inner.build().graph, input: [] };
  };
  const graph = new GraphBuilder('branching');
  graph.input('x', ElementType.float, [1, 2, 2, 2]);
  graph.node('Abs', ['x'], { name: 'a' });
  graph.initializer('yes', { dtype: 'bool', shape: [], data: Uint8Array.of(1) });
  graph.node('If', ['yes'], {
    name: 'y',
    attributes: { then_branch: branch('Relu'), else_branch: branch('Neg') },
  });
  graph.output('y', ElementType.float, [1, 2, 2, 2]);
  return graph.build();
}

/** `count` images for `smallNet`. */
export function images(count: number): { data: Float32Array; dims: number[] } {
  return { data: numbers(count * 3 * 8 * 8, 0.37), dims: [count, 3, 8, 8] };
}

/** The largest difference between two lists of numbers. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} numbers and ${b.length}`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}
