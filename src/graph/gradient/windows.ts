import { intAttribute, intsAttribute, stringAttribute } from '../attributes.ts';
import { imageShape, type Site } from './rule.ts';

/** How a window moves over an image, its padding settled; all of them height and width. */
export interface Windows {
  readonly size: readonly number[];
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Rows and columns before and after. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** Of the output. */
  readonly positions: readonly number[];
}

/**
 * The windows of a convolution or pooling node.
 *
 * @throws GraphError where it is not one over two axes
 */
export function windowsOf(site: Site, what: string, kernel: readonly number[]): Windows {
  const { node } = site;
  const size = imageShape(site, 0, what).slice(2) as number[];
  const positions = site.outputShape().slice(2) as number[];
  const strides = intsAttribute(node, 'strides') ?? [1, 1];
  const dilations = intsAttribute(node, 'dilations') ?? [1, 1];
  const [top, left, bottom, right] = intsAttribute(node, 'pads') ?? [0, 0, 0, 0];
  const windows = { size, kernel, strides, dilations, positions };
  const automatic = stringAttribute(node, 'auto_pad') ?? 'NOTSET';
  if (automatic === 'NOTSET') return { ...windows, before: [top, left], after: [bottom, right] };
  if (automatic === 'VALID') return { ...windows, before: [0, 0], after: [0, 0] };
  const totals = [0, 1].map((axis) => Math.max(0, reach(windows, axis) - size[axis]));
  const lesser = totals.map((total) => Math.floor(total / 2));
  const greater = totals.map((total) => Math.ceil(total / 2));
  return automatic === 'SAME_UPPER'
    ? { ...windows, before: lesser, after: greater }
    : { ...windows, before: greater, after: lesser };
}

/** Rows or columns from the first window's beginning to the last one's end. */
export function reach(
  { kernel, strides, dilations, positions }: Omit<Windows, 'before' | 'after'>,
  axis: number,
): number {
  return (positions[axis] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1;
}

/** The group attribute of a convolution. */
export function groupsOf(site: Site): number {
  return intAttribute(site.node, 'group') ?? 1;
}
