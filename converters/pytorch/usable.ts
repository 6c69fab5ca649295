import { CheckpointError } from '../../src/common/errors.ts';
import { printable } from '../../src/common/printable.ts';
import type { DType, StateDict, Tensor } from '../../src/common/tensor.ts';

/**
 * Refuses weights that no network can compute with: NaN, infinities, and negative running variances of batch
 * normalisation, whose square root is taken.
 *
 * @param path the file, for messages
 * @throws CheckpointError with the tensor and its first bad element
 */
export function checkUsable(stateDict: StateDict, path: string): void {
  for (const [key, tensor] of stateDict) {
    const refuse = (problem: string) => {
      const remedy = 'the training diverged or the file is damaged: take an earlier checkpoint';
      throw new CheckpointError(`${path}: ${printable(key)}`, problem, remedy);
    };
    const unusable = findNotFinite(tensor);
    if (unusable >= 0) refuse(`element ${unusable} is NaN or infinite`);
    const negative = /(^|\.)running_var$/.test(key) ? findNegative(tensor) : -1;
    if (negative >= 0) refuse(`element ${negative} is negative, and it is a variance`);
  }
}

/** Where the exponent of a floating-point type is: in which of its words, and under which mask. */
const exponents: Partial<Record<DType, { word: 2 | 4; words: number; mask: number }>> = {
  float64: { word: 4, words: 2, mask: 0x7ff00000 },
  float32: { word: 4, words: 1, mask: 0x7f800000 },
  float16: { word: 2, words: 1, mask: 0x7c00 },
  bfloat16: { word: 2, words: 1, mask: 0x7f80 },
};

/** The first element whose exponent is all ones, or -1. */
function findNotFinite({ dtype, data }: Tensor): number {
  const exponent = exponents[dtype];
  if (!exponent) return -1;
  const { word, words, mask } = exponent;
  const bits = new (word === 2 ? Uint16Array : Uint32Array)(
    data.buffer as ArrayBuffer,
    data.byteOffset,
    data.length * words,
  );
  // Little-endian: the last word of an element has its exponent.
  for (let i = words - 1; i < bits.length; i += words)
    if ((bits[i] & mask) === mask) return (i - words + 1) / words;
  return -1;
}

/** The first element below zero, or -1; the 16-bit types are bit patterns with the sign on top. */
function findNegative({ dtype, data }: Tensor): number {
  const isBits = dtype === 'float16' || dtype === 'bfloat16';
  return (data as Float32Array).findIndex((value) => (isBits ? value > 0x8000 : value < 0));
}
