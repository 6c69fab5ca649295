import type { NodeScope } from '../../graph/node-scope.ts';
import { ElementType } from '../../graph/onnx.ts';

/**
 * The share of calibration images that score at least as high, (1 + #≥) / (n + 1): a conformal p-value.
 *
 * @param calibration n scores, ascending
 */
export function pValueOf(calibration: Float32Array, score: number): number {
  let [low, high] = [0, calibration.length];
  // A score that is no number is the most suspicious of all.
  if (Number.isNaN(score)) low = high;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (calibration[middle] >= score) high = middle;
    else low = middle + 1;
  }
  return (1 + calibration.length - low) / (calibration.length + 1);
}

/**
 * The p-value of one of the n calibration scores among the n − 1 others.
 *
 * @param calibration n scores, ascending, this one among them
 */
export function pValueAmongOthers(calibration: Float32Array, score: number): number {
  const count = calibration.length;
  return ((count + 1) * pValueOf(calibration, score) - 1) / count;
}

/** Adds the p-values, `[batch, 1]`, of scores, `[batch, 1]`. The calibration's constants are named after the word. */
export function addPValue(nodes: NodeScope, score: string, calibration: Float32Array, word: string): string {
  const count = calibration.length;
  const known = nodes.floats(`${word}_calibration`, [1, count], calibration);
  // Not at least as high, in place of lower: a score that is no number is above all.
  const isAtLeast = nodes.node('GreaterOrEqual', [known, score], `${word}_is_at_least`);
  const isLess = nodes.node('Not', [isAtLeast], `${word}_is_less`);
  const numbers = nodes.node('Cast', [isLess], `${word}_less`, { to: ElementType.float });
  const ones = nodes.floats(`${word}_ones`, [count, 1], new Float32Array(count).fill(1));
  const below = nodes.node('MatMul', [numbers, ones], `${word}_below`);
  const all = nodes.float(`${word}_all`, count + 1);
  return nodes.node('Div', [nodes.node('Sub', [all, below], `${word}_at_least`), all], `${word}_p_value`);
}
