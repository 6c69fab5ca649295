import type { Normalization } from '../../src/graph/preprocessing.ts';
import { imagenetNormalization } from '../architecture.ts';

/** Height and width of images in pixels. */
export interface InputSize {
  readonly height: number;
  readonly width: number;
}

/** The images that the networks of a family are published for, and how others are brought to their size. */
export interface FamilyInput extends Normalization {
  readonly geometry: InputSize & { readonly filter?: 'bilinear'; readonly shorterSide?: number };
}

const square = (side: number) => ({ height: side, width: side });
const cifar = (mean: readonly number[], std: readonly number[]): FamilyInput => ({
  mean,
  std,
  geometry: square(32),
});

/** As torchvision evaluates its first weights: the shorter side to 256, bilinear, and the middle cut out. */
export const imagenet224: FamilyInput = {
  ...imagenetNormalization,
  geometry: { ...square(224), filter: 'bilinear', shorterSide: 256 },
};

export const imagenet64: FamilyInput = { ...imagenetNormalization, geometry: square(64) };

const cifar10Mean = [0.4914, 0.4822, 0.4465];

/** The deviations that are the mean of each image's own, as kuangliu/pytorch-cifar has them. */
export const cifar10OfImages = cifar(cifar10Mean, [0.2023, 0.1994, 0.201]);
export const cifar10 = cifar(cifar10Mean, [0.247, 0.2435, 0.2616]);
export const cifar100 = cifar([0.5071, 0.4867, 0.4408], [0.2675, 0.2565, 0.2761]);
export const cifarWithImagenetNormalization: FamilyInput = { ...imagenetNormalization, geometry: square(32) };

const bytes = (values: readonly number[]) => values.map((value) => value / 255);

/** As the Torch code of wide residual networks writes them, in bytes; of CIFAR-100 too. */
export const cifarInBytes = cifar(bytes([125.3, 123, 113.9]), bytes([63, 62.1, 66.7]));

/** Pixels from 0 to 1 as they are. */
export const cifarPixels = cifar([0, 0, 0], [1, 1, 1]);
