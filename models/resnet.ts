import { Architecture, type Family, imagenetNormalization } from './architecture.ts';
import { pytorchDefault } from './initial.ts';
import {
  buildResidual,
  type ResidualNames,
  type ResidualSize,
  readResidual,
} from './structures/residual-structure.ts';

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
      defaultNormalization: imagenetNormalization,
      detectorOnLogits: true,
      initialization: { convolution: pytorchDefault, linear: pytorchDefault, bias: pytorchDefault },
      forward(network, image, classes) {
        const size = residualSize(
          { widths: [64, 128, 256, 512], blocks, bottleneck, shortcuts: true },
          classes,
        );
        buildResidual(network, image, size, originalNames, { stemStride: 1 });
      },
    });
  },

  recognize(shapes) {
    const stages = readResidual(shapes, originalNames)?.stages ?? [];
    const bottleneck = stages[0]?.[0].convolutions.length === 3;
    const counts = stages.map(({ length }) => length);
    return Object.keys(sizes).find(
      (name) => sizes[name].bottleneck === bottleneck && `${sizes[name].blocks}` === `${counts}`,
    );
  },
};

/** Of the original's residual networks, and of kuangliu/pytorch-cifar, which they are taken from. */
export const originalNames: ResidualNames = {
  stem: [{ convolution: 'conv1', norm: 'bn1' }],
  stage: (stage) => `layer${stage + 1}`,
  convolution: (layer) => `conv${layer}`,
  norm: (layer) => `bn${layer}`,
  shortcut: { convolution: 'shortcut.0', norm: 'shortcut.1' },
  head: 'linear',
};

/** The layers of a residual network: of blocks of two 3 × 3 convolutions, or of bottlenecks four times as wide. */
export function residualSize(
  given: {
    readonly widths: readonly number[];
    readonly blocks: readonly number[];
    readonly bottleneck: boolean;
    /** Whether a 1 × 1 convolution is in the shortcut where its shape changes (option B of the paper). */
    readonly shortcuts: boolean;
  },
  classes: number,
): ResidualSize {
  const { widths, blocks, bottleneck, shortcuts } = given;
  let inputs = widths[0];
  const convolution = (channels: number, kernel: number, from: number) => ({
    ...{ channels, inputs: from, kernel, bias: false },
  });
  const stages = widths.map((width, s) =>
    Array.from({ length: blocks[s] }, (_, b) => {
      const channels = bottleneck ? 4 * width : width;
      const from = inputs;
      inputs = channels;
      const changes = from !== channels || (s > 0 && b === 0);
      return {
        convolutions: bottleneck
          ? [convolution(width, 1, from), convolution(width, 3, width), convolution(channels, 1, width)]
          : [convolution(width, 3, from), convolution(width, 3, width)],
        ...(shortcuts && changes && { shortcut: convolution(channels, 1, from) }),
      };
    }),
  );
  return { stem: [convolution(widths[0], 3, 3)], stages, lastNorm: false, classes, headBias: true };
}
