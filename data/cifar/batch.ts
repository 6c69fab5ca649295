import type { ImageSize } from '../image-set.ts';

/** Height and width of every image of CIFAR. */
export const cifarSize: ImageSize = { height: 32, width: 32 };

/** Bytes of one colour of an image, and of a whole one. */
export const plane = cifarSize.height * cifarSize.width;
export const imageBytes = 3 * plane;

/** One file of a set: its labels, and its images as they are stored, a red, a green and a blue plane each. */
export interface CifarBatch {
  readonly file: string;
  readonly labels: Uint8Array;
  /** At least `count` images from `start` on, each `imageBytes` long and beginning `stride` after the one before. */
  planes(start: number, count: number): Promise<{ bytes: Uint8Array; stride: number }>;
}
