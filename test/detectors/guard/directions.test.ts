import { expect } from 'chai';
import { DetectorError } from '../../../src/common/errors.ts';
import { RandomState } from '../../../src/common/random.ts';
import { columnsOf } from '../../../src/detectors/guard/combination.ts';
import { addProjections, fitDirections } from '../../../src/detectors/guard/directions.ts';
import { GraphBuilder } from '../../../src/graph/builder.ts';
import { NodeScope } from '../../../src/graph/node-scope.ts';
import { ElementType } from '../../../src/graph/onnx.ts';
import { runModel } from '../../graph/models.ts';
import { caught } from '../thrown.ts';

// Two taps of 3 and 2 channels: six and four features.
const channels = [3, 2];
const width = 10;
const random = new RandomState(1);

/** The unit of a feature: they are not all of one size. */
const scaleOf = (j: number) => 1 + (j % 10);

/** Features that depend on each other: each is half of the one before it, too; around 100, in units of their own. */
function samples(count: number, width: number): Float32Array {
  const rows = new Float32Array(count * width);
  let before = 0;
  for (let at = 0; at < rows.length; at++) {
    before = random.normal() + (at % width ? 0.5 * before : 0);
    rows[at] = scaleOf(at % width) * (100 + before);
  }
  return rows;
}

/** Moved in the features' own units. */
const moved = (rows: Float32Array, by: readonly number[]) =>
  rows.map((value, at) => value + scaleOf(at % by.length) * by[at % by.length]);

/** The Mahalanobis length of a shift in these units, by the covariance as it was made: x_j = e_j + x_(j − 1) / 2. */
const lengthOf = (shift: readonly number[]) =>
  Math.hypot(...shift.map((value, j) => value - 0.5 * (shift[j - 1] ?? 0)));

const meanOf = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('Corruption directions', () => {
  const images = samples(3000, width);
  const unchanged = images.slice(0, 200 * width);
  const shift = [0, 0.5, 0, 0, 0, 0, 0, 0, -0.3, 0];
  const brighter = Array.from({ length: width }, () => 0.5);

  it('are Fisher’s discriminants: unit variance, and the shift in units of it', async () => {
    const shifts = [shift, brighter];
    const changed = shifts.map((by) => moved(unchanged, by));
    const directions = await fitDirections({ channels, images, unchanged, changed });
    expect(directions.changes).to.deep.equal([0, 1]);
    const before = await projected(directions, images);
    for (const [d, by] of shifts.entries()) {
      const mean = meanOf(before[d]);
      // Two groups of taps would have variance 2 where they are independent; 128 channels are one.
      expect(meanOf(before[d].map((value) => (value - mean) ** 2))).to.be.closeTo(1, 0.02);
      const after = await projected(directions, moved(images, by));
      expect(meanOf(after[d]) - mean).to.be.closeTo(lengthOf(by), 0.03);
    }
  });

  it('are those of each group of taps, added up', async () => {
    const taps = [70, 70];
    const wide = samples(1500, 280);
    const directionsOf = (channels: number[], images: Float32Array) => {
      const unchanged = images.slice(0, (images.length / 1500) * 100);
      const by = Array.from({ length: images.length / 1500 }, (_, j) => Math.sin(j % 140));
      return fitDirections({ channels, images, unchanged, changed: [moved(unchanged, by), unchanged] });
    };
    const together = await directionsOf(taps, wide);
    expect(together.changes).to.deep.equal([0]);
    for (const group of [0, 1]) {
      const own = (j: number) => Math.floor(j / 140) === group;
      const alone = await directionsOf(
        [70],
        wide.filter((_, at) => own(at % 280)),
      );
      const weights = together.weights.filter((_, j) => own(j));
      for (const [j, weight] of alone.weights.entries()) expect(weights[j]).to.be.closeTo(weight, 1e-9);
    }
  });

  it('bear features that are the same', async () => {
    const twice = (rows: Float32Array) => rows.map((value, at) => (at % width === 9 ? rows[at - 1] : value));
    const same = twice(unchanged);
    const directions = await fitDirections({
      channels,
      images: twice(images),
      unchanged: same,
      changed: [twice(moved(unchanged, shift))],
    });
    expect(directions.weights[8]).to.be.closeTo(directions.weights[9], 1e-9);
    const [before] = await projected(directions, same);
    const [after] = await projected(directions, twice(moved(unchanged, shift)));
    // As without the last feature, but for what is added to every variance.
    expect(meanOf(after) - meanOf(before)).to.be.closeTo(lengthOf(shift.slice(0, 9)), 0.03);
  });

  it('leave out a change that changes nothing, and features that hardly vary or are rounding', async () => {
    const dead = images.map((value, at) => (at % width === 4 ? 100 + 1e-3 * Math.sign(value - 500) : value));
    const few = dead.slice(0, 200 * width);
    const errors = Array.from({ length: width }, (_, j) => (j === 7 ? 1e-2 : 1e-6));
    const changed = [few, moved(few, shift)];
    const directions = await fitDirections({ channels, images: dead, unchanged: few, changed, errors });
    expect(directions.changes).to.deep.equal([1]);
    expect(directions.kept).to.equal(8);
    for (const j of [4, 7]) expect(directions.weights[j]).to.equal(0);
  });

  it('refuse features that are no numbers, and those that never vary', async () => {
    const broken = images.map((value, at) => (at === 5 ? Number.NaN : value));
    const error = await caught(() => fitDirections({ channels, images: broken, unchanged, changed: [] }));
    expect(error).to.be.instanceOf(DetectorError);
    expect(error.message).to.match(/^early layers: a feature is not a finite number/);
    const flat = new Float32Array(300 * width).fill(2);
    const same = await caught(() =>
      fitDirections({ channels, images: flat, unchanged: flat, changed: [flat] }),
    );
    expect(same.message).to.match(/^early layers: are the same for all training images/);
  });
});

/** The projections on each direction. */
async function projected(
  directions: Awaited<ReturnType<typeof fitDirections>>,
  rows: Float32Array,
): Promise<Float32Array[]> {
  const graph = new GraphBuilder('directions');
  graph.input('features', ElementType.float, ['batch', width]);
  const value = addProjections(new NodeScope(graph, 'directions'), 'features', directions);
  graph.output(value, ElementType.float, ['batch', directions.changes.length]);
  const count = rows.length / width;
  const outputs = await runModel(graph.build(), { features: { data: rows, dims: [count, width] } });
  return columnsOf(outputs[value].data as Float32Array, count);
}
