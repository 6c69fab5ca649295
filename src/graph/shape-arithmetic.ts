/** A size, the name of one that is free (`batch`), or undefined where nothing is known. */
export type Dim = number | string | undefined;

export type Shape = readonly Dim[];

/** NumPy's broadcasting; a size that is not known gives way to one above 1. */
export function broadcast(a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (!a || !b) return undefined;
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const [x, y] = [a, b].map((shape) =>
      axis < rank - shape.length ? 1 : shape[axis - rank + shape.length],
    );
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    return [x, y].find((size) => typeof size === 'number');
  });
}

/** NumPy's `matmul`: vectors are given an axis for the time of the product. */
export function matrixProduct(a: Shape | undefined, b: Shape | undefined): Shape | undefined {
  if (!a?.length || !b?.length) return undefined;
  const batch = broadcast(a.slice(0, -2), b.slice(0, -2))!;
  const rows = a.length > 1 ? [a.at(-2)] : [];
  const columns = b.length > 1 ? [b.at(-1)] : [];
  return [...batch, ...rows, ...columns];
}

/** The shape of tensors that are joined along an axis. */
export function concatenate(shapes: readonly (Shape | undefined)[], axis: number): Shape | undefined {
  const known = shapes.filter((shape) => shape !== undefined);
  const along = fromStart(axis, known[0]);
  return known[0]?.map((_, at) => {
    const sizes = shapes.map((shape) => shape?.[at]);
    if (at !== along) return sizes.find((size) => typeof size === 'number') ?? sizes.find((size) => size);
    return sizes.every((size) => typeof size === 'number')
      ? sizes.reduce((sum, size) => sum + size, 0)
      : undefined;
  });
}

/** A shape with some axes gone, or left with size 1. */
export function withoutAxes(x: Shape | undefined, axes: Shape, keep: number): Shape | undefined {
  const gone = new Set(axes.map((axis) => fromStart(Number(axis), x)));
  return keep ? x?.map((size, axis) => (gone.has(axis) ? 1 : size)) : x?.filter((_, axis) => !gone.has(axis));
}

/** How many elements there are. */
export function product(sizes: Shape): Dim {
  return quotient(sizes, []);
}

/** The size that is left over when elements of the shape `whole` are laid out in `parts`. */
export function quotient(whole: Shape, parts: Shape): Dim {
  const left = [...whole];
  let divisor = 1;
  for (const part of parts) {
    const same = left.indexOf(part);
    if (part !== undefined && same >= 0) left.splice(same, 1);
    else if (typeof part === 'number') divisor *= part;
    else return undefined;
  }
  const numbers = left.filter((size) => typeof size === 'number').reduce((all, size) => all * size, 1);
  const rest = left.filter((size) => typeof size !== 'number');
  const ratio = numbers / divisor;
  if (rest.length === 0) return Number.isInteger(ratio) ? ratio : undefined;
  return rest.length === 1 && ratio === 1 ? rest[0] : undefined;
}

/** What a node says of axes, sizes or counts that cannot be: `inferShapes` names the node. */
export class ShapeError extends Error {}

/**
 * An axis counted from the front; negative ones count from the back.
 *
 * @param ends axes behind the last that there may be: 1 where a place between axes is meant
 * @throws ShapeError where the shape has no such axis
 */
export function fromStart(axis: number, shape: Shape | undefined, ends = 0): number {
  const rank = shape?.length;
  if (rank !== undefined && !(axis >= -rank && axis < rank + ends))
    throw new ShapeError(`axis ${axis} of a value that has ${rank}`);
  return axis < 0 ? axis + (rank ?? 0) : axis;
}

/** @throws ShapeError where one of the sizes is below `least`, or no whole number */
export function checkSizes(what: string, sizes: Shape | undefined, least: number): void {
  const wrong = sizes?.find((size) => typeof size === 'number' && !(Number.isInteger(size) && size >= least));
  if (wrong !== undefined) throw new ShapeError(`${what} of ${wrong}`);
}
