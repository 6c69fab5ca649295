import type { GraphError } from '../../common/errors.ts';
import type { Tensor } from '../../common/tensor.ts';
import type { NodeProto } from '../onnx.ts';
import type { Shape } from '../shapes.ts';
import type { NodeWriter } from './node-writer.ts';

/** What becomes of an operator's nodes where a graph is trained. */
export interface Rule {
  /**
   * Writes nodes that yield the node's output under its own name; the node itself where absent.
   *
   * @throws GraphError where the node asks for something that training does not know
   */
  forward?(site: Site): void;
  /**
   * Writes the gradient of the loss with respect to the node's inputs, given that with respect to its output.
   *
   * @param gradient name of a value
   * @returns names of values, by input; undefined where there is none, or none is wanted
   * @throws GraphError as `forward`
   */
  backward(site: Site, gradient: string): (string | undefined)[];
}

/** A node, and where to write. Operators mean what they do in opset 18. */
export interface Site {
  readonly node: NodeProto;
  readonly write: NodeWriter;
  /** Whether the gradient of an input is wanted. */
  wants(index: number): boolean;
  /**
   * The sizes of an input. That of the batch may be a word.
   *
   * @throws GraphError where another one is not known
   */
  shape(index: number): (number | string)[];
  /** The sizes of the output. */
  outputShape(): (number | string)[];
  /** An input that is known before the graph runs; undefined where it is left out. @throws GraphError where it is computed */
  constant(index: number): Tensor | undefined;
  /** The integers of such an input. */
  integers(index: number): number[] | undefined;
  /** Says that an initializer, a running statistic, has this value after the step. */
  update(name: string, value: string): void;
  /** Keeps a value that `forward` writes for `backward`. */
  readonly kept: Map<string, string>;
  unsupported(what: string): GraphError;
}

/** A shape of an image value. @throws GraphError where it has other than four dimensions */
export function imageShape(
  site: Site,
  index: number,
  what: string,
): [string | number, number, number, number] {
  const shape = site.shape(index);
  if (shape.length !== 4) throw site.unsupported(`${what} in other than two dimensions`);
  return shape as [string, number, number, number];
}

/**
 * Sizes as Reshape takes them, the one that is not known as what is left over.
 *
 * @throws GraphError where several are not known
 */
export function targetShape(site: Site, shape: Shape): number[] {
  const target = shape.map((size) => (typeof size === 'number' ? size : -1));
  if (target.filter((size) => size === -1).length > 1) throw site.unsupported('sizes that are not known');
  return target;
}
