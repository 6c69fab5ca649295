import type { GraphBuilder } from '../graph/builder.ts';

/** Detectors of all layers of a network, fitted and said in ONNX: all that aggregation and guard know of them. */
export interface LayerDetectors {
  /** The taps that each detector watches. */
  readonly groups: readonly (readonly string[])[];
  /**
   * Adds the nodes that score samples. The graph has the pooled value of each watched tap, float32 `[batch, width]`, by its
   * name.
   *
   * @param which indices of the detectors that are wanted
   * @param name of the result, float32 `[batch, detectors]`; higher is more OOD
   */
  addScores(graph: GraphBuilder, which: readonly number[], name: string): void;
}

/** What one detector is fitted on: pooled features of neighbouring taps, of InD samples. */
export interface TapGroup {
  readonly taps: readonly string[];
  /** n × width, row-major: the taps side by side. */
  readonly features: Float32Array;
  readonly width: number;
}

/**
 * Fits a kind of detector on one group after the other.
 *
 * @throws DetectorError where a feature is not finite, or the covariance of the features cannot be inverted
 */
export type DetectorFitter = (
  groups: AsyncIterable<TapGroup>,
  /** Threads of one matrix product. */
  threads: number,
) => Promise<LayerDetectors>;

/** Channels that one detector watches together, where a single tap has not more. */
export const GROUP_WIDTH = 128;

/**
 * Neighbouring taps that are watched together: how channels of successive layers vary with each other says more than
 * each layer by itself, as long as there are samples enough for their covariance.
 *
 * @param widths channels of each tap, in the network's order
 * @returns indices of the taps of each group
 */
export function groupTaps(widths: readonly number[]): number[][] {
  const groups: number[][] = [];
  let room = 0;
  widths.forEach((width, tap) => {
    if (width > room || groups.length === 0) {
      groups.push([]);
      room = GROUP_WIDTH;
    }
    groups[groups.length - 1].push(tap);
    room -= width;
  });
  return groups;
}

/** Values of several taps side by side: n × their widths together, row-major. */
export function sideBySide(columns: readonly Float32Array[], widths: readonly number[]): Float32Array {
  if (columns.length === 1) return columns[0];
  const width = widths.reduce((sum, own) => sum + own, 0);
  const rows = columns[0].length / widths[0];
  const together = new Float32Array(rows * width);
  let at = 0;
  columns.forEach((column, c) => {
    const own = widths[c];
    for (let row = 0; row < rows; row++)
      together.set(column.subarray(row * own, (row + 1) * own), row * width + at);
    at += own;
  });
  return together;
}

/** What each detector watches, in words: a group of taps by its ends. */
export function layerNames({ groups }: LayerDetectors): string[] {
  return groups.map(([first, ...others]) => [first, ...others.slice(-1)].join(' … '));
}

/** Some of the detectors, in another order. */
export function chooseDetectors(detectors: LayerDetectors, which: readonly number[]): LayerDetectors {
  return {
    groups: which.map((d) => detectors.groups[d]),
    addScores: (graph, some, name) =>
      detectors.addScores(
        graph,
        some.map((d) => which[d]),
        name,
      ),
  };
}

/** A group of taps in words, for errors. */
export function groupLabel(taps: readonly string[]): string {
  return taps.length > 1 ? `layers ${taps[0]} to ${taps[taps.length - 1]}` : `layer ${taps[0]}`;
}
