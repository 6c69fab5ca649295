import { intAttribute, intsAttribute, stringAttribute } from '../attributes.ts';
import { type Rule, type Site, targetShape } from './rule.ts';

/** Operators that move values and compute nothing. */

export const identity: Rule = { backward: (_, dy) => [dy] };

/** Reshape, Flatten, Squeeze and Unsqueeze. */
export const reshape: Rule = {
  backward: (site, dy) => [site.write.reshape(dy, targetShape(site, site.shape(0)))],
};

export const transpose: Rule = {
  backward({ node, write, shape }, dy) {
    const axes = shape(0).map((_, axis) => axis);
    const order = intsAttribute(node, 'perm') ?? [...axes].reverse();
    return [
      write.transpose(
        dy,
        axes.map((axis) => order.indexOf(axis)),
      ),
    ];
  },
};

export const concat: Rule = {
  backward(site, dy) {
    const { node, write, shape } = site;
    const { length } = shape(0);
    const axis = ((intAttribute(node, 'axis') ?? 0) + length) % length;
    const sizes = node.input.map((_, index) => shape(index)[axis]);
    if (sizes.some((size) => typeof size === 'string')) throw site.unsupported('the batch as its axis');
    return write.split('Split', [dy, write.ints(sizes as number[])], sizes.length, { axis });
  },
};

/** Pad with a constant. */
export const pad: Rule = {
  backward(site, dy) {
    const { node, write } = site;
    if ((stringAttribute(node, 'mode') ?? 'constant') !== 'constant')
      throw site.unsupported('padding by anything but a constant');
    const shape = site.shape(0);
    const axes = site.integers(3)?.map((axis) => (axis + shape.length) % shape.length) ?? [...shape.keys()];
    const pads = site.integers(1)!;
    if (pads.some((size) => size < 0)) throw site.unsupported('pads that are negative');
    const padded = axes.flatMap((axis, i) => (pads[i] + pads[i + axes.length] > 0 ? [{ axis, i }] : []));
    if (padded.length === 0) return [dy];
    const ends = padded.map(({ axis, i }) => {
      const size = shape[axis];
      if (typeof size === 'string') throw site.unsupported('the batch as its axis');
      return pads[i] + size;
    });
    const starts = padded.map(({ i }) => pads[i]);
    return [
      write.node('Slice', [
        dy,
        ...[starts, ends, padded.map(({ axis }) => axis)].map((list) => write.ints(list)),
      ]),
    ];
  },
};

/** The least that exporters write for "to the end". */
const LAST = 2 ** 31 - 1;

/** Slice with constant bounds and positive steps: zeros come back to what was left out. */
export const slice: Rule = {
  backward(site, dy) {
    const shape = site.shape(0);
    const starts = site.integers(1)!;
    const axes = site.integers(3) ?? [...starts.keys()];
    const steps = site.integers(4) ?? axes.map(() => 1);
    if (steps.some((step) => step < 1)) throw site.unsupported('steps backwards');
    const sizes = [...site.outputShape()];
    let gradient = dy;
    axes.forEach((given, i) => {
      const axis = (given + shape.length) % shape.length;
      const [size, count] = [shape[axis], sizes[axis]];
      if (typeof size === 'string' || typeof count === 'string') {
        const isWhole = starts[i] === 0 && steps[i] === 1 && site.integers(2)![i] >= LAST;
        if (isWhole) return;
        throw site.unsupported('the batch as its axis');
      }
      if (size === count) return;
      const start = Math.min(size, Math.max(0, starts[i] < 0 ? starts[i] + size : starts[i]));
      gradient = spaced(site, gradient, sizes, { axis, start, step: steps[i], size });
      sizes[axis] = size;
    });
    return [gradient];
  },
};

interface Places {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
  /** Of the axis that was taken from. */
  readonly size: number;
}

/** Puts what was taken along one axis back to its places, with zeros elsewhere. */
function spaced(
  site: Site,
  value: string,
  sizes: readonly (number | string)[],
  { axis, start, step, size }: Places,
): string {
  const { write } = site;
  const padded = (of: string, rank: number, at: number, before: number, after: number) => {
    const pads = Array(2 * rank).fill(0);
    [pads[at], pads[at + rank]] = [before, after];
    return write.node('Pad', [of, write.ints(pads)]);
  };
  const taken = (sizes[axis] as number) * step;
  let row = value;
  if (step > 1) {
    // The gaps get an axis of their own, which is then joined to the first.
    const apart = write.node('Unsqueeze', [value, write.ints([axis + 1])]);
    const gaps = padded(apart, sizes.length + 1, axis + 1, 0, step - 1);
    row = write.reshape(gaps, targetShape(site, sizes.with(axis, taken)));
  }
  return padded(row, sizes.length, axis, start, size - start - taken);
}
