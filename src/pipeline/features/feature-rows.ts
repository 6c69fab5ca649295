import type { FeatureFile } from '../../../converters/hdf5/features.ts';
import { RunError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { Tensor } from '../../common/tensor.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import type { GraphSession, Tensors } from '../../runtime/graph-session.ts';
import { largestBatch } from '../../runtime/memory.ts';
import { type FeatureLayer, featureLayers } from './feature-files.ts';

/** Samples of one graph run. */
const ROWS = 1000;

/** What a graph made of some rows of a feature file. */
export interface RowOutputs {
  readonly start: number;
  readonly rows: number;
  readonly outputs: Tensors;
}

/**
 * How many rows a run of a graph of pooled features may have.
 *
 * @param memory bytes beyond what the graph holds, 2 GiB where absent
 */
export function rowsFitting(model: ModelProto, memory?: number): number {
  return largestBatch(model, memory, ROWS);
}

export interface RowOptions {
  /** What is told of it. */
  readonly task: string;
  readonly onProgress?: OnProgress;
  /** Samples of one graph run; 1,000 where absent. */
  readonly rows?: number;
}

/** Runs a graph of pooled features over a feature file, block by block. */
export async function* runOnFeatures(
  session: GraphSession,
  features: FeatureFile,
  layers: readonly FeatureLayer[],
  outputs: readonly string[],
  { task, onProgress, rows: most = ROWS }: RowOptions,
): AsyncGenerator<RowOutputs, void, undefined> {
  const { count } = features;
  for (let start = 0; start < count; start += most) {
    const rows = Math.min(most, count - start);
    const feeds = Object.fromEntries(
      layers.map(({ tap, index, width }): [string, Tensor] => [
        tap,
        { dtype: 'float32', shape: [rows, width], data: features.readLayerRows(index, start, rows) },
      ]),
    );
    yield { start, rows, outputs: await session.run(feeds, outputs) };
    onProgress?.({ task, done: start + rows, total: count, unit: 'images' });
  }
}

/** The channels that a graph of pooled features takes of each tap, where it says them. */
export function inputWidths({ graph }: ModelProto): ReadonlyMap<string, number> {
  const widths = new Map<string, number>();
  for (const { name, type } of graph.input) {
    const width = type?.tensorType?.shape?.dim[1]?.dimValue;
    if (typeof width === 'number') widths.set(name, width);
  }
  return widths;
}

/**
 * The layers of a feature file that a graph takes.
 *
 * @param backbone SHA-256 of the backbone that the features must be of; any where absent
 * @param widths the channels that the graph takes of a tap; any where absent
 * @throws RunError where the file lacks one, one has other channels, or it was made by another backbone
 */
export function layersOf(
  features: FeatureFile,
  taps: readonly string[],
  path: string,
  backbone: string | undefined,
  widths?: ReadonlyMap<string, number>,
): FeatureLayer[] {
  const { backbone_sha256: own } = features.attributes;
  if (own && backbone && own !== backbone)
    throw new RunError(
      path,
      'was made by another backbone than the detectors were fitted on',
      `run la-ood features and la-ood fit again, with one backbone: SHA-256 ${String(own).slice(0, 12)} made it, and ${backbone.slice(0, 12)} the detectors`,
    );
  const layers = featureLayers(features);
  return taps.map((tap) => {
    const layer = layers.find((candidate) => candidate.tap === tap);
    if (!layer)
      throw new RunError(path, `has no layer ${tap}, which is watched`, 'run la-ood features again');
    const width = widths?.get(tap) ?? layer.width;
    if (width !== layer.width)
      throw new RunError(
        path,
        `layer ${tap} has ${layer.width} channels, its detector ${width}`,
        'make it again',
      );
    return layer;
  });
}
