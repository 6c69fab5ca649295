import { firstAtLeast } from '../../common/sorted.ts';
import type { NodeScope } from '../../graph/node-scope.ts';
import { ElementType } from '../../graph/onnx.ts';

/** The largest float32: what a score that is no number counts as. */
const LARGEST = 3.4028234663852886e38;

/**
 * A conformal p-value, (1 + #≥) / (n + 1) at each calibration score, and in between on the line from one to the next. A score
 * that is no number is above all. Inside a score it has to be continuous: with steps, a rounding difference at one of them would be a whole rank of this part, and
 * ten ranks of the sum.
 *
 * @param calibration n scores, ascending
 */
export function continuousPValue(calibration: Float32Array, score: number): number {
  const count = calibration.length;
  const below = firstAtLeast(calibration, score);
  return (count + 1 - rankOf(calibration, below, score, calibration[below])) / (count + 1);
}

/**
 * The same of one of the n calibration scores among the n − 1 others.
 *
 * @param calibration n scores, ascending, this one among them
 */
export function continuousPValueAmongOthers(calibration: Float32Array, score: number): number {
  const count = calibration.length;
  const below = firstAtLeast(calibration, score);
  return (count - rankOf(calibration, below, score, calibration[below + 1])) / count;
}

/**
 * How many calibration scores are below a score; of those next below, equal among each other, the share of the way from them to the
 * next. At most as many as are below the highest.
 *
 * @param below how many are below, whatever their shares
 * @param next the lowest of those that are not below; undefined where there is none
 */
function rankOf(calibration: Float32Array, below: number, score: number, next: number | undefined): number {
  if (below === 0 || next === score) return below;
  const from = calibration[below - 1];
  const first = firstAtLeast(calibration, from);
  if (next === undefined) return first;
  return first + ((below - first) * (score - from)) / (next - from);
}

/** Adds `continuousPValue`s, `[batch, 1]`, of scores, `[batch, 1]`. The calibration's constants are named after the word. */
export function addContinuousPValue(
  nodes: NodeScope,
  score: string,
  calibration: Float32Array,
  word: string,
): string {
  const count = calibration.length;
  const highest = firstAtLeast(calibration, calibration[count - 1]);
  // Where all are equal, every p-value is 1: the one that is left counts for nothing.
  const counted = highest > 0 ? 1 : 0;
  const from = calibration.subarray(0, Math.max(1, highest));
  const slopes = from.map((value) => {
    const next = calibration.find((other) => other > value);
    return next === undefined ? 1 : Math.min(1 / (next - value), LARGEST);
  });
  const width = from.length;
  // Clip does not say what it makes of no number.
  const isNan = nodes.node('IsNaN', [score], `${word}_is_nan`);
  const known = nodes.node('Where', [isNan, nodes.float(`${word}_worst`, LARGEST), score], `${word}_known`);
  const past = nodes.node('Sub', [known, nodes.floats(`${word}_from`, [1, width], from)], `${word}_past`);
  const scale = nodes.floats(`${word}_slopes`, [1, width], slopes);
  const scaled = nodes.node('Mul', [past, scale], `${word}_scaled`);
  const limits = [nodes.float(`${word}_none`, 0), nodes.float(`${word}_whole`, 1)];
  const parts = nodes.node('Clip', [scaled, ...limits], `${word}_parts`);
  const ones = nodes.floats(`${word}_ones`, [width, 1], new Float32Array(width).fill(counted));
  const rank = nodes.node('MatMul', [parts, ones], `${word}_rank`);
  const all = nodes.float(`${word}_all`, count + 1);
  return nodes.node('Div', [nodes.node('Sub', [all, rank], `${word}_at_least`), all], `${word}_p_value`);
}

/**
 * Adds the shares of calibration scores that are at least as high, (1 + #≥) / (n + 1), `[batch, 1]`: conformal p-values. The
 * calibration's constants are named after the word.
 *
 * @param score `[batch, 1]`
 */
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
