import { availableParallelism } from 'node:os';
import { type FeatureFile, openFeatures } from '../../../converters/hdf5/open-features.ts';
import type { OnProgress } from '../../common/progress.ts';
import { fitGaussians } from '../../detectors/fit-gaussians.ts';
import { fitKnn } from '../../detectors/fit-knn.ts';
import {
  type Aggregation,
  aggregate,
  fitAggregation,
  layersModel,
} from '../../detectors/layer-aggregation.ts';
import {
  type DetectorFitter,
  groupTaps,
  type LayerDetectors,
  layerNames,
  sideBySide,
  type TapGroup,
} from '../../detectors/layer-detectors.ts';
import { oneClassSvms } from '../../detectors/one-class-svms.ts';
import { readDetectors } from '../detectors/read-detectors.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';
import { type FeatureOutputs, layersOf } from '../features/feature-rows.ts';
import type { FittedGuard } from './fitted-guard.ts';
import { watchedTaps } from './watched-taps.ts';

/** Methods of the table that are detectors of layers: the paper's one-class SVMs, Gaussians and nearest neighbours. */
export const layerMethods = ['layer-svms', 'layer-gaussians', 'layer-knn'] as const;
export type LayerMethod = (typeof layerMethods)[number];

const fitters: Readonly<Record<Exclude<LayerMethod, 'layer-svms'>, DetectorFitter>> = {
  'layer-gaussians': fitGaussians,
  'layer-knn': fitKnn,
};

/** The files that detectors of layers are made of. */
export interface LayerSources {
  /** Features of the images that the backbone was trained on; all but the one-class SVMs are fitted on them. */
  readonly train?: string;
  /** One-class SVMs, that `fitDetectors` wrote. */
  readonly svms?: string;
  /** SHA-256 of the backbone that they must be of. */
  readonly backbone: string;
}

/** A guard by detectors of layers, and the detectors, for early exit. */
export interface FittedLayerGuard extends FittedGuard {
  readonly detectors: LayerDetectors;
  /** Channels of the taps that they watch. */
  readonly widths: ReadonlyMap<string, number>;
}

/**
 * Fits detectors of layers, or reads the one-class SVMs that were fitted.
 *
 * @throws RunError where features or SVMs are of another backbone; DetectorError where nothing can be fitted
 */
export async function fitLayerGuard(
  detector: LayerMethod,
  aggregation: Aggregation,
  graph: FeatureGraph,
  sources: LayerSources,
  onProgress?: OnProgress,
): Promise<FittedLayerGuard> {
  const detectors =
    detector === 'layer-svms'
      ? oneClassSvms(
          await readDetectors(sources.svms!, { sha256: sources.backbone, backbone: 'that of the run' }),
        )
      : await fitOnTaps(fitters[detector], graph, sources, onProgress);
  const watched = new Set(detectors.groups.flat());
  const widths = new Map(
    graph.taps.flatMap((tap, at) => (watched.has(tap) ? [[tap, graph.widths[at]] as const] : [])),
  );
  const count = detectors.groups.length;
  return {
    description: { kind: 'layers', detector, aggregation, layers: layerNames(detectors) },
    notes: [],
    detectors,
    widths,
    components: layersModel(detectors, widths),
    calibrate(known) {
      const scores = (outputs: FeatureOutputs) => outputs.get('layer_scores')!;
      const fitted = fitAggregation(aggregation, scores(known), count);
      const scoresOf = (outputs: FeatureOutputs) => ({ ood: aggregate(scores(outputs), count, fitted) });
      return { model: layersModel(detectors, widths, fitted), known: scoresOf(known), scoresOf };
    },
  };
}

async function fitOnTaps(
  fitDetectors: DetectorFitter,
  graph: FeatureGraph,
  { train, backbone }: LayerSources,
  onProgress?: OnProgress,
): Promise<LayerDetectors> {
  const features = await openFeatures(train!);
  try {
    return await fitDetectors(
      tapGroups(features, [...watchedTaps(graph)], backbone, onProgress),
      availableParallelism(),
    );
  } finally {
    features.close();
  }
}

/** The groups of taps that detectors watch, with their features of training images. */
async function* tapGroups(
  features: FeatureFile,
  taps: readonly string[],
  backbone: string,
  onProgress?: OnProgress,
): AsyncGenerator<TapGroup> {
  const layers = layersOf(features, taps, features.path, backbone);
  const groups = groupTaps(layers.map(({ width }) => width));
  for (const [done, group] of groups.entries()) {
    const own = group.map((at) => layers[at]);
    const widths = own.map(({ width }) => width);
    yield {
      taps: own.map(({ tap }) => tap),
      features: sideBySide(
        own.map(({ index }) => features.readLayer(index)),
        widths,
      ),
      width: widths.reduce((sum, width) => sum + width, 0),
    };
    onProgress?.({ task: 'fit', done: done + 1, total: groups.length, unit: 'groups of layers' });
  }
}
