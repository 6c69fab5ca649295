import { encodeBackboneMetadata } from '../../models/metadata.ts';
import { RandomState } from '../../src/common/random.ts';
import { float, GraphBuilder } from '../../src/graph/builder.ts';
import { ElementType, type ModelProto } from '../../src/graph/onnx.ts';

/** Side of the images that the small network takes. */
export const SIDE = 8;

/** A backbone that plain JavaScript trains in no time: two convolutions, batch normalisation, ten classes. */
export function smallBackbone(seed = 0, dropout = false): ModelProto {
  const random = new RandomState(seed);
  const graph = new GraphBuilder('small');
  const weight = (name: string, shape: number[], std: number) => {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => std * random.normal());
    return graph.initializer(name, { dtype: 'float32', shape, data });
  };
  const filled = (name: string, size: number, value: number) =>
    graph.initializer(name, { dtype: 'float32', shape: [size], data: new Float32Array(size).fill(value) });
  graph.input('input', ElementType.float, ['batch', 3, SIDE, SIDE]);
  graph.node('Conv', ['input', weight('conv1.weight', [4, 3, 3, 3], 0.3)], {
    name: 'conv1',
    attributes: { pads: [1, 1, 1, 1], strides: [2, 2] },
  });
  const statistics = [filled('bn1.weight', 4, 1), filled('bn1.bias', 4, 0)];
  const running = [filled('bn1.running_mean', 4, 0), filled('bn1.running_var', 4, 1)];
  graph.node('BatchNormalization', ['conv1', ...statistics, ...running], {
    name: 'bn1',
    attributes: { epsilon: float(1e-5), momentum: float(0.9) },
  });
  graph.node('Relu', ['bn1'], { name: 'relu1' });
  graph.node('Conv', ['relu1', weight('conv2.weight', [6, 4, 3, 3], 0.2)], {
    name: 'conv2',
    attributes: { pads: [1, 1, 1, 1] },
  });
  graph.node('Relu', ['conv2'], { name: 'relu2' });
  graph.node('Flatten', ['relu2'], { name: 'flatten' });
  const features = dropout
    ? graph.node('Dropout', ['flatten', ratio(graph)], { name: 'dropout' })
    : 'flatten';
  const head = [weight('fc.weight', [10, 6 * 4 * 4], 0.1), filled('fc.bias', 10, 0)];
  graph.node('Gemm', [features, ...head], { outputs: ['logits'], attributes: { transB: 1 } });
  graph.output('logits', ElementType.float, ['batch', 10]);
  return graph.build({
    metadata: encodeBackboneMetadata({
      taps: ['conv1', 'conv2', 'logits'],
      detectorTaps: ['conv1', 'conv2'],
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
    }),
  });
}

function ratio(graph: GraphBuilder): string {
  return graph.initializer('ratio', { dtype: 'float32', shape: [], data: Float32Array.of(0.3) });
}
