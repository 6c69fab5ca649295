import { intAttribute, intsAttribute } from '../attributes.ts';
import { imageShape, type Rule, type Site, targetShape } from './rule.ts';
import { type Windows, windowsOf } from './windows.ts';

/** Of the values in a window, the first of the largest gets the gradient. */
export const maxPool: Rule = {
  forward({ node, write, kept }) {
    const places = write.name('places');
    write.nodes.push({ ...node, output: [node.output[0], places] });
    kept.set('places', places);
  },
  backward(site, dy) {
    const { node, write, kept } = site;
    const count = write.node('Size', [node.input[0]]);
    const zeros = write.node('ConstantOfShape', [write.reshape(count, [1])]);
    const [places, gradients] = [kept.get('places')!, dy].map((value) => write.reshape(value, [-1]));
    const flat = write.node('ScatterElements', [zeros, places, gradients], { axis: 0, reduction: 'add' });
    return [write.reshape(flat, targetShape(site, site.shape(0)))];
  },
};

/** Each place of a window gets its share. */
export const averagePool: Rule = {
  backward(site, dy) {
    const { node, write } = site;
    const kernel = intsAttribute(node, 'kernel_shape')!;
    const windows = windowsOf(site, 'pooling', kernel);
    const { strides, before, positions, size } = windows;
    const counts = windowCounts(windows, intAttribute(node, 'count_include_pad') === 1);
    const shares = write.node('Mul', [
      dy,
      write.floats(
        counts.map((count) => 1 / count),
        [1, 1, ...positions],
      ),
    ]);
    // As images of one channel, all channels are treated alike.
    const planes = write.reshape(shares, [-1, 1, ...positions]);
    const ones = write.floats(Array(kernel[0] * kernel[1]).fill(1), [1, 1, ...kernel]);
    const over = [0, 1].map(
      (axis) => (positions[axis] - 1) * strides[axis] + kernel[axis] - before[axis] - size[axis],
    );
    const spread = write.node('ConvTranspose', [planes, ones], {
      strides,
      pads: [...before, ...over.map((rows) => Math.max(0, rows))],
      output_padding: over.map((rows) => Math.max(0, -rows)),
    });
    return [write.reshape(spread, targetShape(site, site.shape(0)))];
  },
};

/** Values that each window averages, row by row. */
function windowCounts(
  { size, kernel, strides, before, after, positions }: Windows,
  padding: boolean,
): number[] {
  const along = (axis: number) =>
    Array.from({ length: positions[axis] }, (_, position) => {
      const start = position * strides[axis] - before[axis];
      const [low, high] = padding ? [-before[axis], size[axis] + after[axis]] : [0, size[axis]];
      return Math.min(start + kernel[axis], high) - Math.max(start, low);
    });
  const [rows, columns] = [along(0), along(1)];
  return rows.flatMap((height) => columns.map((width) => height * width));
}

export const globalAveragePool: Rule = {
  backward(site, dy) {
    return [spread(site, dy, imageShape(site, 0, 'pooling').slice(2) as number[])];
  },
};

/** The gradient of a mean over H and W, at each place. */
function spread({ write }: Site, dy: string, [height, width]: readonly number[]): string {
  const share = write.node('Mul', [dy, write.floats(1 / (height * width))]);
  return write.node('Expand', [share, write.ints([1, 1, height, width])]);
}
