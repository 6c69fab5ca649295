/**
 * Makes `backbone.onnx`: six convolutions, trained on the demo's images, which cost a sixteenth of the demo's own ResNet-20.
 *
 *     node --import tsx test/cli/six-convolutions/make.ts
 */
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { imagenetNormalization } from '../../../models/architecture.ts';
import { encodeBackboneMetadata } from '../../../models/metadata.ts';
import { RandomState } from '../../../src/common/random.ts';
import { elementCount } from '../../../src/common/tensor.ts';
import { float, GraphBuilder } from '../../../src/graph/builder.ts';
import { ElementType, type ModelProto } from '../../../src/graph/onnx.ts';
import { RunFolder, schedules, trainBackbone, writeModel } from '../../../src/index.ts';

/** Of the image, and of what each convolution makes; every second one halves the image. */
const CHANNELS = [3, 16, 16, 32, 32, 64, 64];
const CLASSES = 10;

const folder = await mkdtemp(join(tmpdir(), 'la-ood-six-'));
try {
  await writeModel(join(folder, 'untrained.onnx'), untrained());
  const { epochs } = await RunFolder.use(join(folder, 'run'), (run) =>
    trainBackbone(run, {
      from: join(folder, 'untrained.onnx'),
      train: 'demo:train:64000',
      test: 'demo:test:2000',
      recipe: { epochs: 6, batch: 64, rate: 0.05, schedule: schedules.cosine, weightDecay: 5e-4, crop: 0 },
    }),
  );
  for (const { epoch, testAccuracy } of epochs) console.log(epoch, testAccuracy);
  await copyFile(join(folder, 'run', 'backbone.onnx'), join(import.meta.dirname, 'backbone.onnx'));
} finally {
  await rm(folder, { recursive: true });
}

function untrained(): ModelProto {
  const random = new RandomState(0);
  const graph = new GraphBuilder('six-convolutions');
  const drawn = (name: string, shape: number[], fan: number) => {
    const std = Math.sqrt(2 / fan);
    const data = Float32Array.from({ length: elementCount(shape) }, () => std * random.normal());
    return graph.initializer(name, { dtype: 'float32', shape, data });
  };
  const filled = (name: string, size: number, value: number) =>
    graph.initializer(name, { dtype: 'float32', shape: [size], data: new Float32Array(size).fill(value) });
  let value = 'input';
  graph.input(value, ElementType.float, ['batch', 3, 32, 32]);
  for (let layer = 1; layer < CHANNELS.length; layer++) {
    const [inputs, outputs] = CHANNELS.slice(layer - 1);
    const [conv, norm, relu] = [`conv${layer}`, `bn${layer}`, `relu${layer}`];
    graph.node('Conv', [value, drawn(`${conv}.weight`, [outputs, inputs, 3, 3], 9 * inputs)], {
      name: conv,
      attributes: { pads: [1, 1, 1, 1], strides: layer % 2 ? [2, 2] : [1, 1] },
    });
    const statistics = [
      ...[filled(`${norm}.weight`, outputs, 1), filled(`${norm}.bias`, outputs, 0)],
      ...[filled(`${norm}.running_mean`, outputs, 0), filled(`${norm}.running_var`, outputs, 1)],
    ];
    graph.node('BatchNormalization', [conv, ...statistics], {
      name: norm,
      attributes: { epsilon: float(1e-5), momentum: float(0.9) },
    });
    value = graph.node('Relu', [norm], { name: relu });
  }
  graph.node('GlobalAveragePool', [value], { name: 'pool' });
  graph.node('Flatten', ['pool'], { name: 'flatten' });
  const features = CHANNELS.at(-1)!;
  const head = [drawn('fc.weight', [CLASSES, features], features), filled('fc.bias', CLASSES, 0)];
  graph.node('Gemm', ['flatten', ...head], { outputs: ['logits'], attributes: { transB: 1 } });
  graph.output('logits', ElementType.float, ['batch', CLASSES]);
  const taps = [...CHANNELS.slice(1).map((_, i) => `conv${i + 1}`), 'logits'];
  return graph.build({
    metadata: encodeBackboneMetadata({
      taps,
      detectorTaps: taps,
      ...imagenetNormalization,
    }),
  });
}
