import { type DenseNetSize, denseNetDepth } from '../structures/densenet-structure.ts';
import { type ResidualSize, residualDepth } from '../structures/residual-structure.ts';
import type { VggSize } from '../structures/vgg-structure.ts';

/** Names of networks, by the sizes that their names are made of. */

/** `resnet50`, `resnext50_32x4d`, `wide_resnet50_2`. */
export function resNetName(size: ResidualSize, stem = 'resnet'): string {
  const depth = residualDepth(size);
  const [, second] = size.stages[0][0].convolutions;
  if (size.stages[0][0].convolutions.length < 3) return `${stem}${depth}`;
  const groups = second.channels / second.inputs;
  if (groups > 1) return `resnext${depth}_${groups}x${second.inputs}d`;
  const width = second.channels / 64;
  return stem === 'resnet' && width > 1 && Number.isInteger(width) && size.stages.length === 4
    ? `wide_resnet${depth}_${width}`
    : `${stem}${depth}`;
}

/** `WRN-28-10`: depth, and how many times 16 the first stage has channels. */
export function wideResNetName(size: ResidualSize): string {
  const { channels } = size.stages[0][0].convolutions[0];
  return `WRN-${residualDepth(size) + 2}-${channels / 16}`;
}

export const denseNetName = (size: DenseNetSize, stem = 'densenet') => `${stem}${denseNetDepth(size)}`;

/** How many layers have weights. The head counts as three, though many have fewer for small images. */
export const vggDepth = ({ stages }: VggSize) => stages.flat().length + 3;
