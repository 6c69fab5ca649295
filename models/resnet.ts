import { Architecture, type Family, imagenetNormalisation } from './architecture.ts';
import { pytorchDefault } from './initial.ts';
import type { Network, Value } from './network.ts';

/** Blocks in each of the four layers, and whether they are bottlenecks. */
const sizes: Record<string, { blocks: readonly number[]; bottleneck: boolean }> = {
  resnet18: { blocks: [2, 2, 2, 2], bottleneck: false },
  resnet34: { blocks: [3, 4, 6, 3], bottleneck: false },
  resnet50: { blocks: [3, 4, 6, 3], bottleneck: true },
};

/** ResNet with ImageNet's widths and a 3 × 3 stem without pooling, for 32 × 32 images (He et al. 2016). */
export const resnet: Family = {
  names: Object.keys(sizes),

  named(name) {
    if (!Object.hasOwn(sizes, name)) return undefined;
    const { blocks, bottleneck } = sizes[name];
    return new Architecture({
      name,
      defaultNormalisation: imagenetNormalisation,
      detectorOnLogits: true,
      initialisation: { convolution: pytorchDefault, linear: pytorchDefault, bias: pytorchDefault },
      forward(network, image, classes) {
        const stages = blocks.map((count, i) => ({ count, channels: 64 * 2 ** i }));
        const block = bottleneck ? bottleneckBlock : basicBlock;
        residualNetwork(network, image, stages, (...args) => block(...args, projection), classes);
      },
    });
  },

  recognise(shapes) {
    const blocks = countBlocks(shapes);
    const bottleneck = shapes.has('layer1.0.conv3.weight');
    return Object.keys(sizes).find(
      (name) => sizes[name].bottleneck === bottleneck && `${sizes[name].blocks}` === `${blocks}`,
    );
  },
};

/** Brings a block's input to its output's form, where the block changes it. */
export type Shortcut = (network: Network, path: string, x: Value, channels: number, stride: number) => Value;

type Block = (network: Network, path: string, x: Value, channels: number, stride: number) => Value;

/** Stem, layers of blocks (all but the first begin with stride 2), pooling and `linear`. */
export function residualNetwork(
  network: Network,
  image: Value,
  stages: readonly { count: number; channels: number }[],
  block: Block,
  classes: number,
): void {
  let x = network.convolution('conv1', image, stages[0].channels);
  x = network.relu(network.batchNorm('bn1', x));
  for (const [i, { count, channels }] of stages.entries())
    for (let j = 0; j < count; j++)
      x = block(network, `layer${i + 1}.${j}`, x, channels, i > 0 && j === 0 ? 2 : 1);
  network.logits('linear', network.globalAveragePool(x), classes);
}

/** Two 3 × 3 convolutions. */
export function basicBlock(
  network: Network,
  path: string,
  x: Value,
  channels: number,
  stride: number,
  shortcut: Shortcut,
): Value {
  let y = network.convolution(`${path}.conv1`, x, channels, { stride });
  y = network.relu(network.batchNorm(`${path}.bn1`, y));
  y = network.convolution(`${path}.conv2`, y, channels);
  y = network.batchNorm(`${path}.bn2`, y);
  return joinShortcut(network, path, x, y, stride, shortcut);
}

/** 1 × 1 to `channels`, 3 × 3, 1 × 1 to four times as many. */
function bottleneckBlock(
  network: Network,
  path: string,
  x: Value,
  channels: number,
  stride: number,
  shortcut: Shortcut,
): Value {
  let y = network.convolution(`${path}.conv1`, x, channels, { kernel: 1 });
  y = network.relu(network.batchNorm(`${path}.bn1`, y));
  y = network.convolution(`${path}.conv2`, y, channels, { stride });
  y = network.relu(network.batchNorm(`${path}.bn2`, y));
  y = network.convolution(`${path}.conv3`, y, 4 * channels, { kernel: 1 });
  y = network.batchNorm(`${path}.bn3`, y);
  return joinShortcut(network, path, x, y, stride, shortcut);
}

function joinShortcut(
  network: Network,
  path: string,
  x: Value,
  y: Value,
  stride: number,
  shortcut: Shortcut,
): Value {
  const changes = stride !== 1 || x.channels !== y.channels;
  const short = changes ? shortcut(network, `${path}.shortcut`, x, y.channels, stride) : x;
  return network.relu(network.add(`${path}.add`, y, short), path);
}

/** Option B of the paper: a 1 × 1 convolution with batch normalisation. It is no tap. */
const projection: Shortcut = (network, path, x, channels, stride) =>
  network.batchNorm(
    `${path}.1`,
    network.convolution(`${path}.0`, x, channels, { kernel: 1, stride, tap: false }),
  );

/** How many blocks `layer1`, `layer2`, … of a state dict hold. */
export function countBlocks(shapes: ReadonlyMap<string, unknown>): number[] {
  const counts: number[] = [];
  for (let i = 1, j = 0; ; i++, j = 0) {
    while (shapes.has(`layer${i}.${j}.conv1.weight`)) j++;
    if (j === 0) return counts;
    counts.push(j);
  }
}
