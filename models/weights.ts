import { CheckpointError } from '../src/common/errors.ts';
import { printable } from '../src/common/printable.ts';
import type { StateDict } from '../src/common/tensor.ts';
import type { Architecture } from './architecture.ts';

type Shape = readonly number[];
export type Shapes = ReadonlyMap<string, Shape>;

/** BatchNorm's counter of training steps: inference has no use for it, and checkpoints before PyTorch 0.4.1 lack it. */
export const isCounter = (key: string) => key.endsWith('.num_batches_tracked');

export interface CheckOptions {
  /** How the errors name the weights: the checkpoint's path. */
  where?: string;
  /** The number of classes asked for; found from the weights where it is not given. */
  classes?: number;
}

/**
 * Checks that weights are exactly those of an architecture, key by key and shape by shape; counters may be absent.
 * @returns the number of classes
 * @throws CheckpointError naming the keys that are missing, left over or of another shape (with both shapes), or another
 *   class count than `options.classes`
 */
export function checkWeights(
  architecture: Architecture,
  weights: StateDict,
  options: CheckOptions = {},
): number {
  const { where = 'weights' } = options;
  const found = classCount(architecture, weights);
  const misfits = describeMisfits(architecture.parameters(found ?? 1), shapesOf(weights));
  if (found === undefined || misfits.length)
    throw new CheckpointError(where, `not a ${architecture.name}: ${misfits.join('; ')}`);
  const { classes = found } = options;
  if (classes !== found) {
    const key = `${architecture.head}.weight`;
    const wanted = format(architecture.parameters(classes).get(key)!);
    throw new CheckpointError(
      where,
      `has ${found} classes where ${classes} were asked for: ${key} is ${format(weights.get(key)!.shape)}, not ${wanted}`,
      `ask for ${found} classes, or fine-tune the network on ${classes}`,
    );
  }
  return found;
}

/** The number of classes that an architecture's last layer has in these weights, where they hold that layer. */
export function classCount(architecture: Architecture, weights: StateDict): number | undefined {
  return weights.get(`${architecture.head}.weight`)?.shape[0] || undefined;
}

export function shapesOf(weights: StateDict): Shapes {
  return new Map(Array.from(weights, ([key, { shape }]) => [key, shape]));
}

/** In words, what keeps shapes from being the expected ones; empty where they are. */
export function describeMisfits(expected: Shapes, shapes: Shapes): string[] {
  const { missing, extra, different } = compareShapes(expected, shapes);
  const known = (key: string) => `${key} (${format(expected.get(key)!)})`;
  const found = (key: string) => `${printable(key)} (${format(shapes.get(key)!)})`;
  const misfits: string[] = [];
  if (missing.length) misfits.push(`lacks ${list(missing, known)}`);
  if (extra.length) misfits.push(`has ${list(extra, found)}, which it should not`);
  if (different.length) misfits.push(`instead of ${list(different, known)} has ${list(different, found)}`);
  return misfits;
}

/** How many keys keep shapes from being the expected ones. */
export function countMisfits(expected: Shapes, shapes: Shapes): number {
  const { missing, extra, different } = compareShapes(expected, shapes);
  return missing.length + extra.length + different.length;
}

function compareShapes(expected: Shapes, shapes: Shapes) {
  const missing = [...expected.keys()].filter((key) => !shapes.has(key) && !isCounter(key));
  const extra = [...shapes.keys()].filter((key) => !expected.has(key));
  const different = [...shapes.keys()].filter(
    (key) => expected.has(key) && format(expected.get(key)!) !== format(shapes.get(key)!),
  );
  return { missing, extra, different };
}

/** The first three, and how many more there are. */
function list(keys: string[], describe: (key: string) => string): string {
  const more = keys.length > 3 ? ` and ${keys.length - 3} more` : '';
  return keys.slice(0, 3).map(describe).join(', ') + more;
}

/** `64×3×3×3`, or `scalar`. */
export function format(shape: Shape): string {
  return shape.join('×') || 'scalar';
}
