import { advice, DetectorError, option } from '../common/errors.ts';
import type { NeighborSearch, Neighbors } from './neighbors.ts';

export interface ShiftingOptions {
  /** A point is an edge point when more than a share of 1 − threshold of its neighbours lie on its inner side. */
  readonly threshold: number;
  /** `original` leaves the first edge point out of the shift length, as the original's code does. */
  readonly compat?: 'original';
}

export interface PseudoOutliers {
  /** Indices of the edge points, ascending. */
  readonly edges: Uint32Array;
  /** One outlier for each edge point: edges × width, row-major. */
  readonly features: Float64Array;
  /** How far each edge point was shifted along its normal. */
  readonly length: number;
}

/** Keeps the directions of coinciding points finite; the value is the original's. */
const EPSILON = 1e-8;

/**
 * Self-adaptive data shifting (Wang et al., "Hyperparameter selection of one-class support vector machine by
 * self-adaptive data shifting", Pattern Recognition 2018), as LA-OOD uses it: points on the edge of the data are
 * shifted outward along their normals, and stand in for OOD samples when γ is chosen.
 *
 * With k = ⌈5 log10 n⌉ nearest neighbours x_ij of x_i and v_ij the unit vectors from x_ij to x_i, the normal is
 * n_i = Σ_j v_ij; x_i is an edge point when the share of j with v_ij · n_i ≥ 0 exceeds 1 − threshold. The shift length
 * is the mean distance of the edge points to their neighbours and themselves.
 *
 * @param features n × width standardised validation features, row-major
 * @throws DetectorError for fewer than k + 1 points, and where no point lies on the edge
 */
export async function shiftEdges(
  search: NeighborSearch,
  features: Float64Array,
  width: number,
  options: ShiftingOptions,
): Promise<PseudoOutliers> {
  const count = features.length / width;
  const k = Math.max(1, Math.ceil(5 * Math.log10(count)));
  if (!(count > k))
    throw new DetectorError(
      'self-adaptive shifting',
      `there are ${count} validation samples where ${k} neighbours need ${k + 1}`,
      'use more training images',
    );
  const neighbors = await search.nearest(features, width, k);
  const normals = edgeNormals(features, width, neighbors, options.threshold);
  const edges = Uint32Array.from(normals.keys());
  // Dropping a row of the distances where it means to drop a column, the original leaves out the first edge point.
  const counted = options.compat === 'original' ? edges.subarray(1) : edges;
  if (counted.length === 0)
    throw new DetectorError(
      'self-adaptive shifting',
      'no sample lies on the edge of the data, so there are no pseudo outliers to choose gamma by',
      advice`raise ${option('threshold')}`,
    );
  const length = meanDistance(neighbors, counted);
  const shifted = new Float64Array(edges.length * width);
  for (let e = 0; e < edges.length; e++) {
    const normal = normals.get(edges[e])!;
    const scale = length / (Math.sqrt(normal.reduce((sum, value) => sum + value * value, 0)) + EPSILON);
    for (let j = 0; j < width; j++)
      shifted[e * width + j] = features[edges[e] * width + j] + normal[j] * scale;
  }
  return { edges, features: shifted, length };
}

/** The normals of the points on the edge, by index. */
function edgeNormals(
  features: Float64Array,
  width: number,
  { k, indices, distances }: Neighbors,
  threshold: number,
): Map<number, Float64Array> {
  const normals = new Map<number, Float64Array>();
  const directions = new Float64Array(k * width);
  const normal = new Float64Array(width);
  for (let i = 0; i < features.length / width; i++) {
    normal.fill(0);
    for (let t = 0; t < k; t++) {
      const other = indices[i * k + t] * width;
      const scale = 1 / (distances[i * k + t] + EPSILON);
      for (let j = 0; j < width; j++) {
        const component = (features[i * width + j] - features[other + j]) * scale;
        directions[t * width + j] = component;
        normal[j] += component;
      }
    }
    let behind = 0;
    for (let t = 0; t < k; t++) {
      let product = 0;
      for (let j = 0; j < width; j++) product += directions[t * width + j] * normal[j];
      if (product >= 0) behind++;
    }
    if (behind / k > 1 - threshold) normals.set(i, normal.slice());
  }
  return normals;
}

/**
 * The mean distance of some points to their neighbours and to themselves. The zeros, which the original keeps by the
 * same slip, belong to the method as it was measured: without them the shift is 1/k longer, which makes γ smaller on
 * 7 of densenet100's 100 layers and takes 0.4 and 0.8 points of AUROC from LA-OOD (tiny, tinyjpeg).
 */
function meanDistance({ k, distances }: Neighbors, points: Uint32Array): number {
  let sum = 0;
  for (const i of points) for (let t = 0; t < k; t++) sum += distances[i * k + t];
  return sum / (points.length * (k + 1));
}
