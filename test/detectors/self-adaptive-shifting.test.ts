import { expect } from 'chai';
import { DetectorError } from '../../src/common/errors.ts';
import { NeighborSearch } from '../../src/detectors/neighbors.ts';
import { shiftEdges } from '../../src/detectors/self-adaptive-shifting.ts';
import { gaussian, largestDifference, type Samples } from './samples.ts';
import { caught } from './thrown.ts';

describe('self-adaptive shifting', () => {
  let search: NeighborSearch;
  before(async () => {
    search = await NeighborSearch.open();
  });
  const shift = ({ features, width }: Samples, threshold = 0.01, compat?: 'original') =>
    shiftEdges(search, features, width, { threshold, compat });

  /** 0, 1, … on a line: k = 5 neighbours of 10 points, so that only the two ends have all of theirs on one side. */
  const line: Samples = { features: Float64Array.from({ length: 10 }, (_, i) => i), width: 1, count: 10 };

  it('shifts the ends of a line outward by the mean distance to their neighbours and themselves', async () => {
    const { edges, features, length } = await shift(line);
    expect([...edges]).to.deep.equal([0, 9]);
    expect(length).to.equal(2.5);
    expect(largestDifference(features, [-2.5, 11.5])).to.be.lessThan(1e-8);
  });

  it('leaves the first edge point out of the mean under compat, as the original does', async () => {
    const stretched: Samples = { ...line, features: Float64Array.from(line.features) };
    stretched.features[9] = 19;
    const own = await shift(stretched);
    // 8 is an edge too: its five neighbours are 3 … 7, since 19 is further. Distances: 1 … 5 twice, and 11 … 15.
    expect([...own.edges]).to.deep.equal([0, 8, 9]);
    expect(own.length).to.equal((15 + 15 + 65) / 18);
    const original = await shift(stretched, 0.01, 'original');
    expect([...original.edges]).to.deep.equal([0, 8, 9]);
    expect(original.length).to.equal((15 + 65) / 12);
    const length = 80 / 12;
    expect(largestDifference(original.features, [-length, 8 + length, 19 + length])).to.be.lessThan(1e-7);
  });

  it('takes more points for edges at a higher threshold', async () => {
    // Point 1 has 0 on its outer side and four of its five neighbours on the inner one.
    expect([...(await shift(line, 0.21)).edges]).to.deep.equal([0, 1, 8, 9]);
    expect([...(await shift(line, 0.19)).edges]).to.deep.equal([0, 9]);
  });

  it('finds the corners of a square', async () => {
    const side = 12;
    const square: Samples = {
      features: Float64Array.from({ length: side * side * 2 }, (_, i) =>
        i % 2 ? Math.floor(i / 2 / side) : (i / 2) % side,
      ),
      width: 2,
      count: side * side,
    };
    const { edges, features, length } = await shift(square);
    const corners = [0, side - 1, side * (side - 1), side * side - 1];
    for (const corner of corners) expect([...edges]).to.include(corner);
    // The first corner goes outward, by the shift length.
    expect(features[0]).to.be.lessThan(0);
    expect(features[1]).to.be.lessThan(0);
    expect(Math.hypot(features[0], features[1])).to.be.closeTo(length, 1e-7);
    // Nothing two steps inside the border is an edge.
    for (const edge of edges) {
      const [x, y] = [edge % side, Math.floor(edge / side)];
      expect(Math.min(x, y, side - 1 - x, side - 1 - y)).to.be.lessThan(2);
    }
  });

  it('shifts along the sum of the unit vectors from the neighbours', async () => {
    const { features, width, count } = gaussian(80, 3);
    const k = Math.ceil(5 * Math.log10(count));
    const point = (i: number) => features.subarray(i * width, (i + 1) * width);
    const shifted = await shift({ features, width, count }, 0.2);
    const expected: number[] = [];
    for (let i = 0; i < count; i++) {
      // The nearest is the point itself.
      const from = Array.from({ length: count }, (_, other) => point(i).map((x, j) => x - point(other)[j]))
        .sort((a, b) => Math.hypot(...a) - Math.hypot(...b))
        .slice(1, k + 1);
      const units = from.map((along) => along.map((x) => x / Math.hypot(...along)));
      const normal = point(i).map((_, j) => units.reduce((sum, unit) => sum + unit[j], 0));
      const product = (unit: Float64Array) => unit.reduce((sum, x, j) => sum + x * normal[j], 0);
      if (units.filter((unit) => product(unit) >= 0).length / k <= 1 - 0.2) continue;
      expect(shifted.edges[expected.length / width]).to.equal(i);
      expected.push(...point(i).map((x, j) => x + (shifted.length * normal[j]) / Math.hypot(...normal)));
    }
    expect(shifted.edges.length).to.be.within(5, 75);
    expect(shifted.features).to.have.length(expected.length);
    expect(largestDifference(shifted.features, expected)).to.be.lessThan(1e-6);
  });

  it('moves every edge point by the shift length, whatever the width', async () => {
    for (const [count, width] of [
      [200, 3],
      [60, 2048],
      [20, 70_000],
    ]) {
      const samples = gaussian(count, width, width);
      const { edges, features, length } = await shift(samples);
      expect(edges.length).to.be.greaterThan(0);
      for (const [e, i] of edges.entries()) {
        let square = 0;
        for (let j = 0; j < width; j++)
          square += (features[e * width + j] - samples.features[i * width + j]) ** 2;
        expect(Math.sqrt(square) / length).to.be.closeTo(1, 1e-7);
      }
    }
  });

  it('refuses points that are all equal only where they have no edge', async () => {
    // Every direction is zero, so that every point lies on the edge, and is shifted nowhere.
    const equal: Samples = { features: new Float64Array(40).fill(2), width: 2, count: 20 };
    const { edges, features, length } = await shift(equal);
    expect([edges.length, length]).to.deep.equal([20, 0]);
    expect(features.every((value) => value === 2)).to.equal(true);
  });

  it('refuses too few points', async () => {
    for (const [count, needed] of [
      [0, '0 validation samples where 1 neighbours need 2'],
      [1, '1 validation samples where 1 neighbours need 2'],
      [2, '2 validation samples where 2 neighbours need 3'],
      [4, '4 validation samples where 4 neighbours need 5'],
    ] as const) {
      const error = await caught(() => shift(gaussian(count, 2)));
      expect(error).to.be.instanceOf(DetectorError);
      expect(error.message).to.equal(`self-adaptive shifting: there are ${needed}; use more training images`);
    }
  });

  it('refuses points without an edge', async () => {
    // A ring: each point has neighbours on both sides.
    const count = 100;
    const ring: Samples = {
      features: Float64Array.from({ length: 2 * count }, (_, i) => {
        const angle = (2 * Math.PI * Math.floor(i / 2)) / count;
        return i % 2 ? Math.sin(angle) : Math.cos(angle);
      }),
      width: 2,
      count,
    };
    const edges = await shift(ring, -0.5).catch((error) => error);
    expect(edges).to.be.instanceOf(DetectorError);
    expect(edges.message).to.equal(
      'self-adaptive shifting: no sample lies on the edge of the data, so there are no pseudo outliers to choose gamma by; raise `threshold`',
    );
  });
});
