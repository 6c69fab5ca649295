import type { Geometry } from '../../../data/image-set.ts';
import { type BackboneMetadata, backboneMetadata } from '../../../models/metadata.ts';
import { advice, command, GraphError } from '../../common/errors.ts';
import { describeClassifier, type LinearHead } from '../../graph/classifier/classifier.ts';
import { nameHeadInput } from '../../graph/classifier/head.ts';
import type { ModelProto } from '../../graph/onnx.ts';
import { type Preprocessing, prependPreprocessing } from '../../graph/preprocessing.ts';
import { exposeTaps, pruneUnused } from '../../graph/rewrite.ts';
import { inferShapes } from '../../graph/shapes.ts';
import { deviationOf } from '../../graph/tap-pooling.ts';
import { conditionTaps } from './condition-taps.ts';

/** A backbone rewritten to go from pixels (`pixels`, uint8 N×H×W×3) to the pooled value of every tap, float32 N×C: those
 * that its metadata name, the logits among them, what goes into its last layer, and what tells of the conditions of images. */
export interface FeatureGraph {
  readonly model: ModelProto;
  /** Names of the outputs, in the order of the layers. */
  readonly taps: readonly string[];
  /** Those of them that get a detector unless something else is asked for. */
  readonly detectorTaps: readonly string[];
  /** Channels of each. */
  readonly widths: readonly number[];
  /** The tap that is the logits. */
  readonly logits: string;
  /** The tap that goes into the last layer, where that is linear. */
  readonly headInput?: string;
  readonly head?: LinearHead;
  /** The taps that tell of conditions: mean and deviation over positions of each of `conditionTaps`' values. */
  readonly conditionTaps: readonly string[];
  /** Whether classes do not exclude each other. */
  readonly isMultiLabel: boolean;
  /** The images that it takes, and how others are brought to their size. */
  readonly size: Geometry;
  /** The names of the classes, in the order of the logits. */
  readonly classNames?: readonly string[];
  /** The number of images that it takes at once; absent where it takes any. */
  readonly batch?: number;
}

/**
 * Rewrites a backbone, by what its metadata say of its taps and its normalisation.
 *
 * @param where the file, for errors
 * @param deviations taps whose standard deviation over positions is wanted beside the mean, `all` for all that have positions; they
 * become further taps, `NAME[deviation]`
 * @throws GraphError where the metadata do not say it
 */
export function featureGraph(
  backbone: ModelProto,
  where: string,
  deviations: readonly string[] | 'all' = [],
): FeatureGraph {
  const metadata = backboneMetadata(backbone, where);
  const { taps: own, detectorTaps = own, isMultiLabel = false } = metadata;
  const { dtype, height, width, batch, head } = describeClassifier(backbone, where);
  const preprocessing = preprocessingOf(metadata);
  if (!own || (dtype !== 'uint8' && !preprocessing))
    throw new GraphError(
      where,
      'does not say its taps and its normalisation',
      advice`make it with ${command('import')}`,
    );
  if (!height || !width)
    throw new GraphError(where, 'its input does not say the height and width of its images');
  const normalized = dtype === 'uint8' ? undefined : preprocessing;
  const named = head && nameHeadInput(backbone, head);
  const deviating = deviations === 'all' ? withPositions(backbone, own) : deviations;
  const ofConditions = conditionTaps(backbone).flatMap((value) => [value, deviationOf(value)]);
  const taps = [
    ...new Set([...own, ...deviating.map(deviationOf), ...(named ? [named.name] : []), ...ofConditions]),
  ];
  const exposed = exposeTaps(named?.model ?? backbone, taps, where);
  const model = pruneUnused(prependPreprocessing(exposed, normalized));
  const shapes = inferShapes(model);
  const widths = taps.map((tap) => {
    const width = shapes.get(tap)?.shape?.[1];
    if (typeof width !== 'number') throw new GraphError(where, `the width of tap ${tap} cannot be inferred`);
    return width;
  });
  return {
    model,
    taps,
    detectorTaps: detectorTaps!,
    widths,
    logits: backbone.graph.output[0].name,
    headInput: named?.name,
    head,
    conditionTaps: ofConditions,
    isMultiLabel,
    size: { height, width, ...resizingOf(metadata) },
    classNames: metadata.classNames,
    batch,
  };
}

/** Those taps that are pooled over positions. */
function withPositions(backbone: ModelProto, taps: readonly string[]): string[] {
  const types = inferShapes(backbone);
  return taps.filter((tap) => (types.get(tap)?.shape?.length ?? 0) > 2);
}

/** A feature graph that pools only some of its taps, and the logits. */
export function withTaps(features: FeatureGraph, some: Iterable<string>): FeatureGraph {
  const kept = new Set([...some, features.logits]);
  const { model, taps, detectorTaps, widths } = features;
  const output = model.graph.output.filter(({ name }) => kept.has(name));
  return {
    ...features,
    model: pruneUnused({ ...model, graph: { ...model.graph, output } }),
    taps: taps.filter((tap) => kept.has(tap)),
    detectorTaps: detectorTaps.filter((tap) => kept.has(tap)),
    widths: widths.filter((_, at) => kept.has(taps[at])),
  };
}

/** What a model's metadata say of how images are brought to its size. */
export function resizingOf({
  filter,
  shorterSide,
  framing,
  background,
}: Partial<BackboneMetadata>): Omit<Geometry, 'height' | 'width'> {
  return { filter, shorterSide, ...(framing && { framing }), ...(background && { background }) };
}

/** What a backbone's metadata say of the normalisation; undefined where they say none. */
export function preprocessingOf({
  mean,
  std,
  scale,
  channelOrder,
}: Partial<BackboneMetadata>): Preprocessing | undefined {
  return mean && std && { mean, std, scale, channelOrder };
}
