import { expect } from 'chai';
import * as ort from 'onnxruntime-node';
import { DetectorError } from '../../../src/common/errors.ts';
import { RandomState } from '../../../src/common/random.ts';
import { addProjections, fitDirections } from '../../../src/detectors/guard/directions.ts';
import { GraphBuilder } from '../../../src/graph/builder.ts';
import { NodeScope } from '../../../src/graph/node-scope.ts';
import { ElementType } from '../../../src/graph/onnx.ts';
import { encodeModel } from '../../../src/graph/write.ts';
import { caught } from '../thrown.ts';

// Two taps of 3 and 2 channels: six and four features.
const channels = [3, 2];
const width = 10;
const random = new RandomState(1);

/** Features that depend on each other: each is half of the one before it, too. */
function samples(count: number): Float32Array {
  const rows = new Float32Array(count * width);
  for (let at = 0; at < rows.length; at++)
    rows[at] = 100 + random.normal() + (at % width ? 0.5 * (rows[at - 1] - 100) : 0);
  return rows;
}

const moved = (rows: Float32Array, by: readonly number[]) => rows.map((value, at) => value + by[at % width]);

describe('Corruption directions', () => {
  const images = samples(3000);
  const unchanged = images.slice(0, 200 * width);
  const shift = [0, 0.5, 0, 0, 0, 0, 0, 0, -0.3, 0];

  it('are Fisher’s discriminant: unit variance, and the shift in units of it', async () => {
    const directions = await fitDirections({
      channels,
      images,
      unchanged,
      changed: [moved(unchanged, shift)],
    });
    expect(directions.changes).to.deep.equal([0]);
    const projections = await projected(directions, images);
    const mean = projections.reduce((sum, value) => sum + value, 0) / projections.length;
    const variance = projections.reduce((sum, value) => sum + (value - mean) ** 2, 0) / projections.length;
    // Two groups of taps would have variance 2 where they are independent; 128 channels are one.
    expect(variance).to.be.closeTo(1, 0.02);
    const after = await projected(directions, moved(images, shift));
    const distance = after.reduce((sum, value) => sum + value, 0) / after.length - mean;
    // The Mahalanobis distance of the shift, by the covariance as it was made: x_j = e_j + x_(j − 1) / 2.
    const innovations = shift.map((value, j) => value - 0.5 * (shift[j - 1] ?? 0));
    expect(distance).to.be.closeTo(Math.hypot(...innovations), 0.03);
  });

  it('leave out a change that changes nothing, and features that hardly vary or are rounding', async () => {
    const dead = images.map((value, at) => (at % width === 4 ? 100 + 1e-3 * Math.sign(value - 100) : value));
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

async function projected(
  directions: Awaited<ReturnType<typeof fitDirections>>,
  rows: Float32Array,
): Promise<Float32Array> {
  const graph = new GraphBuilder('directions');
  graph.input('features', ElementType.float, ['batch', width]);
  const value = addProjections(new NodeScope(graph, 'directions'), 'features', directions);
  graph.output(value, ElementType.float, ['batch', directions.changes.length]);
  const session = await ort.InferenceSession.create(encodeModel(graph.build()));
  const outputs = await session.run({
    features: new ort.Tensor('float32', rows, [rows.length / width, width]),
  });
  await session.release();
  return outputs[value].data as Float32Array;
}
