import type { Tensor4D } from '@tensorflow/tfjs-core';
import { intsAttribute, stringAttribute } from '../../../graph/attributes.ts';
import type { TensorFlow } from '../backend.ts';
import type { Node } from './operator.ts';

/**
 * Rows and columns that a window operator adds: `[top, left, bottom, right]`, as the attribute `pads` has them.
 *
 * @param size height and width of the input
 * @param extent height and width of the window, dilation included
 */
export function padsOf(
  node: Node,
  size: readonly number[],
  extent: readonly number[],
  strides: readonly number[],
): number[] {
  const automatic = stringAttribute(node.proto, 'auto_pad') ?? 'NOTSET';
  if (automatic === 'NOTSET') return intsAttribute(node.proto, 'pads') ?? [0, 0, 0, 0];
  if (automatic === 'VALID') return [0, 0, 0, 0];
  const totals = size.map((length, axis) => {
    const steps = Math.ceil(length / strides[axis]);
    return Math.max(0, (steps - 1) * strides[axis] + extent[axis] - length);
  });
  const lesser = totals.map((total) => Math.floor(total / 2));
  const greater = totals.map((total) => Math.ceil(total / 2));
  return automatic === 'SAME_UPPER' ? [...lesser, ...greater] : [...greater, ...lesser];
}

/** Adds rows and columns of a value. */
export function pad2d(tf: TensorFlow, x: Tensor4D, pads: readonly number[], value = 0): Tensor4D {
  if (isZero(pads)) return x;
  const [top, left, bottom, right] = pads;
  return tf.pad(
    x,
    [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ],
    value,
  );
}

/** Takes padding away again, so that what is left has a shape. */
export function unpad2d(
  tf: TensorFlow,
  x: Tensor4D,
  [top, left]: readonly number[],
  shape: readonly number[],
): Tensor4D {
  return tf.slice(x, [0, top, left, 0], shape as [number, number, number, number]);
}

export function isZero(pads: readonly number[]): boolean {
  return pads.every((pad) => pad === 0);
}
