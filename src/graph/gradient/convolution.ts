import type { NodeWriter } from './node-writer.ts';
import { imageShape, type Rule, type Site } from './rule.ts';
import { groupsOf, reach, windowsOf } from './windows.ts';

/**
 * Conv over two axes, with strides, padding, dilations and groups.
 *
 * Of the input, the gradient is the convolution of the output's gradient with the flipped filters, inputs and outputs
 * changed; a ConvTranspose where strides leave gaps. Of the filters, it is one convolution over three axes: the gradient
 * of the output takes the place of the filters, the batch that of the channels, and the channels are an axis that
 * nothing moves over, so that one matrix product yields all of it (two to four times as fast as a product for each place
 * of the filter, and up to ten times as a plain convolution).
 */
export const convolution: Rule = {
  forward(site) {
    const { windows, groups } = geometryOf(site);
    const { node, write } = site;
    const { before, after, strides, dilations } = windows;
    if (!isSmall(windows.positions) || groups > 1) {
      write.nodes.push(node);
      return;
    }
    const [x, filters, ...bias] = node.input;
    const joined = joinedConvolution(write, x, filters, bias, { before, after, strides, dilations });
    write.nodes.push({ ...joined, output: [node.output[0]] });
  },

  backward(site, dy) {
    const bias = site.wants(2) ? site.write.sum(dy, [0, 2, 3]) : undefined;
    return [
      site.wants(0) ? inputGradient(site, dy) : undefined,
      site.wants(1) ? filterGradient(site, dy) : undefined,
      bias,
    ];
  },
};

/** Up to so many places, a product for each image is too small to be fast: all images go into one. */
const SMALL = 64;

function isSmall([height, width]: readonly number[]): boolean {
  return height * width <= SMALL;
}

function geometryOf(site: Site) {
  const [outputs, perGroup, ...kernel] = imageShape(site, 1, 'convolution') as number[];
  return { windows: windowsOf(site, 'convolution', kernel), groups: groupsOf(site), outputs, perGroup };
}

interface Moves {
  readonly before: readonly number[];
  readonly after: readonly number[];
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
}

/** A convolution of all images as one of three axes, the first being the batch; its last node is given, not written. */
function joinedConvolution(
  write: NodeWriter,
  x: string,
  filters: string,
  bias: readonly string[],
  { before, after, strides = [1, 1], dilations = [1, 1] }: Moves,
) {
  const image = write.node('Unsqueeze', [write.transpose(x, [1, 0, 2, 3]), write.ints([0])]);
  const thick = write.node('Unsqueeze', [filters, write.ints([2])]);
  const y = write.node('Conv', [image, thick, ...bias], {
    pads: [0, ...before, 0, ...after],
    strides: [1, ...strides],
    dilations: [1, ...dilations],
  });
  write.transpose(write.node('Squeeze', [y, write.ints([0])]), [1, 0, 2, 3]);
  return write.nodes.pop()!;
}

function inputGradient(site: Site, dy: string): string {
  const { write, node } = site;
  const { windows, groups, outputs, perGroup } = geometryOf(site);
  const { size, kernel, strides, dilations, before, positions } = windows;
  const filters = node.input[1];
  const extent = kernel.map((length, axis) => (length - 1) * dilations[axis]);
  const spaced = strides.some((stride) => stride > 1);
  if (spaced || before.some((pad, axis) => pad > extent[axis])) {
    const over = [0, 1].map((axis) => reach(windows, axis) - before[axis] - size[axis]);
    return write.node('ConvTranspose', [dy, filters], {
      ...{ strides, dilations, group: groups, kernel_shape: kernel },
      pads: [...before, ...over.map((rows) => Math.max(0, rows))],
      output_padding: over.map((rows) => Math.max(0, -rows)),
    });
  }
  const turned = turnedFilters(write, filters, { groups, outputs, perGroup, kernel });
  const moves = {
    before: before.map((pad, axis) => extent[axis] - pad),
    after: size.map((length, axis) => length - positions[axis] + before[axis]),
    dilations,
  };
  if (isSmall(size) && groups === 1) {
    const last = joinedConvolution(write, dy, turned, [], moves);
    write.nodes.push(last);
    return last.output[0];
  }
  return write.node('Conv', [dy, turned], {
    ...{ dilations, group: groups, pads: [...moves.before, ...moves.after] },
  });
}

interface Filters {
  readonly groups: number;
  readonly outputs: number;
  readonly perGroup: number;
  readonly kernel: readonly number[];
}

/** Filters from outputs to inputs, each turned by half a circle. */
function turnedFilters(
  write: NodeWriter,
  filters: string,
  { groups, outputs, perGroup, kernel }: Filters,
): string {
  const places = kernel[0] * kernel[1];
  const flat = write.reshape(filters, [groups, outputs / groups, perGroup, places]);
  const turned = places > 1 ? backwards(write, flat, [3]) : flat;
  return write.reshape(write.transpose(turned, [0, 2, 1, 3]), [
    groups * perGroup,
    outputs / groups,
    ...kernel,
  ]);
}

function backwards(write: NodeWriter, value: string, axes: readonly number[]): string {
  const all = (number: number) => write.ints(axes.map(() => number));
  return write.node('Slice', [value, all(-1), all(-(2 ** 31)), write.ints(axes), all(-1)]);
}

function filterGradient(site: Site, dy: string): string {
  const { write, node } = site;
  const { windows, groups, outputs, perGroup } = geometryOf(site);
  const { size, kernel, strides, dilations, before, positions } = windows;
  const [x] = node.input;
  const isPlain = [...strides, ...dilations].every((step) => step === 1);
  if (kernel.every((length) => length === 1) && before.every((pad) => pad === 0) && groups === 1 && isPlain)
    return pointwiseGradient(site, dy, outputs, perGroup);

  // The channels that are fewer are those that are laid out for each place of the filter.
  const swaps = groups === 1 && isPlain && outputs < perGroup && before.every((pad, a) => pad < kernel[a]);
  const [wide, narrow, inner] = swaps ? [x, dy, outputs] : [dy, x, perGroup];
  const [from, to] = swaps ? [positions, size] : [size, positions];
  const first = swaps ? before.map((pad, axis) => kernel[axis] - 1 - pad) : before;
  const needed = [0, 1].map(
    (axis) => (to[axis] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1,
  );
  const last = needed.map((length, axis) => length - from[axis] - first[axis]);

  const image =
    groups === 1
      ? write.node('Unsqueeze', [write.transpose(narrow, [0, 2, 3, 1]), write.ints([0])])
      : write.reshape(write.transpose(write.reshape(narrow, [-1, groups, inner, ...from]), [1, 0, 3, 4, 2]), [
          1,
          -1,
          ...from,
          inner,
        ]);
  const thick = write.node('Unsqueeze', [write.transpose(wide, [1, 0, 2, 3]), write.ints([4])]);
  const sums = write.node('Conv', [image, thick], {
    pads: [...first, 0, ...last.map((rows) => Math.max(0, rows)), 0],
    // What the filters' elements are apart, and what they move by, change places.
    strides: [...dilations, 1],
    dilations: [...strides, 1],
    group: groups,
  });
  // Rows that no window reached are in the way.
  const kept = last.some((rows) => rows < 0)
    ? write.node('Slice', [sums, write.ints([0, 0]), write.ints(kernel), write.ints([2, 3])])
    : sums;
  const ordered = swaps ? backwards(write, kept, [2, 3]) : kept;
  const places = write.node('Squeeze', [ordered, write.ints([0])]);
  return write.transpose(places, swaps ? [3, 0, 1, 2] : [0, 3, 1, 2]);
}

/** Of 1 × 1 filters: a matrix product for each image, and their sum. */
function pointwiseGradient({ write, node }: Site, dy: string, outputs: number, inputs: number): string {
  const x = write.transpose(write.reshape(node.input[0], [0, inputs, -1]), [0, 2, 1]);
  const products = write.node('MatMul', [write.reshape(dy, [0, outputs, -1]), x]);
  return write.reshape(write.sum(products, [0]), [outputs, inputs, 1, 1]);
}
