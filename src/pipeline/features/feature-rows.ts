import { type FeatureFile, openFeatures } from '../../../converters/hdf5/open-features.ts';
import { advice, command, RunError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import { type Tensor, toFloat32 } from '../../common/tensor.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import type { DeviceName } from '../../runtime/device.ts';
import { GraphSession, type Tensors } from '../../runtime/graph-session.ts';
import { largestBatch } from '../../runtime/memory.ts';
import { type FeatureLayer, featureLayers, setName } from './feature-files.ts';

/** Samples of one graph run, at most and at least: where constants fill the memory, fewer samples save nothing. */
const ROWS = 1000;
const FEWEST_ROWS = 16;

/** What a graph yields for the images of a feature file: of each output so many numbers an image, row-major. */
export type FeatureOutputs = ReadonlyMap<string, Float32Array>;

/**
 * Runs a graph of pooled features over a whole feature file.
 *
 * @param outputs the names of those that are wanted; all of the graph's where absent
 * @param backbone SHA-256 of the backbone that the features must be of; any where absent
 * @throws RunError where the file lacks a layer, or is of another backbone
 */
export async function outputsOnFeatures(
  model: ModelProto,
  path: string,
  {
    outputs: wanted = model.graph.output.map(({ name }) => name),
    backbone,
    device,
    memory,
    onProgress,
  }: {
    readonly outputs?: readonly string[];
    readonly backbone?: string;
    readonly device?: DeviceName;
    /** Bytes that running the graph may take beyond its constants; 2 GiB where absent. */
    readonly memory?: number;
    readonly onProgress?: OnProgress;
  } = {},
): Promise<FeatureOutputs> {
  const session = await GraphSession.open(model, { device });
  const features = await openFeatures(path);
  try {
    const taps = model.graph.input.map(({ name }) => name);
    const layers = layersOf(features, taps, path, backbone, inputWidths(model));
    const all = new Map<string, Float32Array>();
    const running = { atOnce: rowsAtOnce(model, memory), task: `score ${setName(path)}`, tell: onProgress };
    for await (const { start, rows, outputs } of runOnFeatures(session, features, layers, wanted, running))
      for (const name of wanted) {
        const values = toFloat32(outputs[name]);
        const width = values.length / rows;
        if (!all.has(name)) all.set(name, new Float32Array(features.count * width));
        all.get(name)!.set(values, start * width);
      }
    return all;
  } finally {
    features.close();
    await session.close();
  }
}

/** What a graph made of some rows of a feature file. */
export interface RowOutputs {
  readonly start: number;
  readonly rows: number;
  readonly outputs: Tensors;
}

/**
 * Samples that a run of a graph of pooled features may have.
 *
 * @param memory bytes beyond its constants, 2 GiB where absent
 */
export function rowsAtOnce(model: ModelProto, memory?: number): number {
  return Math.max(FEWEST_ROWS, largestBatch(model, memory, ROWS));
}

/** How a graph runs over a feature file. */
export interface RowRuns {
  /** Samples of a run; see {@link rowsAtOnce}. */
  readonly atOnce: number;
  readonly task: string;
  readonly tell?: OnProgress;
}

/** Runs a graph of pooled features over a feature file, block by block. */
export async function* runOnFeatures(
  session: GraphSession,
  features: FeatureFile,
  layers: readonly FeatureLayer[],
  outputs: readonly string[],
  { atOnce, task, tell }: RowRuns,
): AsyncGenerator<RowOutputs, void, undefined> {
  const { count } = features;
  for (const { start, rows } of blocksOf(count, atOnce)) {
    const feeds = Object.fromEntries(
      layers.map(({ tap, index, width }): [string, Tensor] => [
        tap,
        { dtype: 'float32', shape: [rows, width], data: features.readLayerRows(index, start, rows) },
      ]),
    );
    yield { start, rows, outputs: await session.run(feeds, outputs) };
    tell?.({ task, done: start + rows, total: count, unit: 'images' });
  }
}

/** The rows of a feature file, some at a time. */
export function blocksOf(count: number, most = ROWS): { readonly start: number; readonly rows: number }[] {
  return Array.from({ length: Math.ceil(count / most) }, (_, block) => ({
    start: block * most,
    rows: Math.min(most, count - block * most),
  }));
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
      advice`run ${command('features')} and ${command('fit')} again, with one backbone: SHA-256 ${String(own).slice(0, 12)} made it, and ${backbone.slice(0, 12)} the detectors`,
    );
  const layers = featureLayers(features);
  return taps.map((tap) => {
    const layer = layers.find((candidate) => candidate.tap === tap);
    if (!layer)
      throw new RunError(
        path,
        `has no layer ${tap}, which is watched`,
        advice`run ${command('features')} again`,
      );
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
