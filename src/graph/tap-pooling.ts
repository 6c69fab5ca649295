import type { Shape } from './shapes.ts';

/** How a value inside a network becomes N×C. */
export type Pooling = 'none' | 'spatial mean' | 'token mean' | 'class token' | 'deviation';

/** What follows a value's name in a tap of its class token. */
const CLASS_TOKEN = '[class]';

/** The tap of the first token of N×T×D, where transformers have their class token. */
export function classTokenOf(value: string): string {
  return `${value}${CLASS_TOKEN}`;
}

/** The value whose class token a tap's name stands for; undefined where it is no such name. */
export function valueOfClassToken(tap: string): string | undefined {
  return tap.endsWith(CLASS_TOKEN) ? tap.slice(0, -CLASS_TOKEN.length) : undefined;
}

/** What follows a value's name in a tap of its deviation. */
const DEVIATION = '[deviation]';

/** The tap of a value's standard deviation over the positions of the image, or over its tokens. */
export function deviationOf(value: string): string {
  return `${value}${DEVIATION}`;
}

/** The value whose deviation a tap's name stands for; undefined where it is no such name. */
export function valueOfDeviation(tap: string): string | undefined {
  return tap.endsWith(DEVIATION) ? tap.slice(0, -DEVIATION.length) : undefined;
}

/**
 * How values of a shape are pooled: N×C as they are; N×C×H×W and N×H×W×C by the mean over the image; N×T×D by the mean
 * over the tokens. The mean is there in every transformer and tells of the image in every block, where a class token
 * is the same for all images until the first attention, and in many networks is not there at all.
 */
export function poolingOf({ length }: Shape): Pooling | undefined {
  if (length === 2) return 'none';
  if (length === 3) return 'token mean';
  return length === 4 ? 'spatial mean' : undefined;
}
