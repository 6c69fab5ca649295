import type { ImageSize } from '../../data/image-set.ts';
import { backboneMetadata } from '../../models/metadata.ts';
import { GraphError } from '../common/errors.ts';
import type { ModelProto } from '../graph/onnx.ts';
import { prependPreprocessing } from '../graph/preprocessing.ts';
import { exposeTaps, pruneUnused } from '../graph/rewrite.ts';
import { inferShapes } from '../graph/shapes.ts';

/** A backbone rewritten to go from pixels (`pixels`, uint8 N×H×W×3) to the pooled value of every tap, float32 N×C. */
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
  /** Height and width of the images that it takes. */
  readonly size: ImageSize;
}

/**
 * Rewrites a backbone, by what its metadata say of its taps and its normalisation.
 *
 * @param where the file, for errors
 * @throws GraphError where the metadata do not say it
 */
export function featureGraph(backbone: ModelProto, where: string): FeatureGraph {
  const { taps, detectorTaps = taps, mean, std } = backboneMetadata(backbone, where);
  if (!taps || !mean || !std)
    throw new GraphError(where, 'does not say its taps and its normalisation', 'make it with la-ood import');
  const size = imageSize(backbone, where);
  const model = pruneUnused(prependPreprocessing(exposeTaps(backbone, taps, where), { mean, std }));
  const shapes = inferShapes(model);
  const widths = taps.map((tap) => {
    const width = shapes.get(tap)?.shape?.[1];
    if (typeof width !== 'number') throw new GraphError(where, `the width of tap ${tap} cannot be inferred`);
    return width;
  });
  return { model, taps, detectorTaps: detectorTaps!, widths, logits: backbone.graph.output[0].name, size };
}

function imageSize(backbone: ModelProto, where: string): ImageSize {
  const initializers = new Set(backbone.graph.initializer.map(({ name }) => name));
  const [input] = backbone.graph.input.filter(({ name }) => !initializers.has(name));
  const sizes = input?.type?.tensorType?.shape?.dim.map(({ dimValue }) => dimValue);
  const [, , height, width] = sizes ?? [];
  if (sizes?.length !== 4 || !height || !width)
    throw new GraphError(where, 'its input does not say the height and width of its images');
  return { height, width };
}
