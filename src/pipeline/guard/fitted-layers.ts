import { availableParallelism } from 'node:os';
import { type FeatureFile, openFeatures } from '../../../converters/hdf5/features.ts';
import { RunError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import { type DetectorPanel, panelOf } from '../../detectors/detector-panel.ts';
import type { EvidenceInputs } from '../../detectors/evidence-model.ts';
import { fitGaussians } from '../../detectors/gaussian.ts';
import { fitKnn } from '../../detectors/knn.ts';
import {
  type FitLayerDetectors,
  groupTaps,
  type LayerDetectors,
  type TapGroup,
} from '../../detectors/layer-detectors.ts';
import { fitMahalanobis } from '../../detectors/mahalanobis.ts';
import { oneClassSvms } from '../../detectors/one-class-svms.ts';
import { readDetectors } from '../detectors/read-detectors.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';
import { layersOf } from '../features/feature-rows.ts';
import { logitsOf, predictedClasses } from './gather-evidence.ts';
import { earlySvms, multiplicationsOf, watchedTaps } from './watched-taps.ts';

/** What watches the layers; `ocsvm` are the detectors that `fitDetectors` wrote, the others are fitted by the guard. */
export const detectorKinds = ['gaussian', 'ocsvm', 'mahalanobis', 'knn'] as const;
export type DetectorKind = (typeof detectorKinds)[number];

const fitters: Readonly<Record<Exclude<DetectorKind, 'ocsvm'>, FitLayerDetectors>> = {
  gaussian: fitGaussians,
  mahalanobis: fitMahalanobis,
  knn: fitKnn,
};

/** Detectors of a network's layers, and the inputs of their graphs. */
export interface FittedLayers {
  readonly detectors: DetectorPanel;
  /** What each of them watches, in words. */
  readonly layers: readonly string[];
  readonly inputs: EvidenceInputs;
}

/** What detectors are made of. */
export interface DetectorSources {
  /** Features of the images that the backbone was trained on; all kinds but `ocsvm` are fitted on them. */
  readonly features?: string;
  /** The file of one-class SVMs. */
  readonly svms?: string;
}

/**
 * Fits detectors of each kind, or reads those that were fitted.
 *
 * @param backbone SHA-256 of the backbone that the features must be of
 * @throws RunError where they, or the one-class SVMs, are of another one, or there is none of the latter for these layers; DetectorError where nothing can be fitted
 */
export async function fitLayers(
  kinds: readonly DetectorKind[],
  graph: FeatureGraph,
  { features, svms }: DetectorSources,
  backbone: string,
  onProgress?: OnProgress,
): Promise<FittedLayers> {
  const byKind: LayerDetectors[] = [];
  const multiplications = multiplicationsOf(graph);
  const watched = watchedTaps(graph, multiplications);
  for (const kind of kinds)
    if (kind === 'ocsvm') {
      const all = await readDetectors(svms!, backbone, 'that of the run');
      const own = kinds.length > 1 ? earlySvms(all, watched, multiplications) : all;
      if (own.length === 0)
        throw new RunError(
          svms!,
          'watches none of the layers that the guard does',
          'run la-ood fit without --layers',
        );
      byKind.push(oneClassSvms(own));
    } else
      byKind.push(await fitKind(fitters[kind], inputsOf(graph, watched), features!, backbone, onProgress));
  const detectors = panelOf(byKind);
  const name = ([first, ...others]: readonly string[]) => [first, ...others.slice(-1)].join(' … ');
  return {
    detectors,
    layers: detectors.groups.map((taps, d) =>
      kinds.length > 1 ? `${name(taps)} (${kinds[detectors.kinds[d]]})` : name(taps),
    ),
    inputs: inputsOf(graph, new Set(detectors.groups.flat())),
  };
}

async function fitKind(
  fitOne: FitLayerDetectors,
  inputs: EvidenceInputs,
  path: string,
  backbone: string,
  onProgress?: OnProgress,
): Promise<LayerDetectors> {
  const features = await openFeatures(path);
  try {
    return await fitOne(groupsOf(features, inputs, path, backbone, onProgress), availableParallelism());
  } finally {
    features.close();
  }
}

/** The inputs of detectors of these taps, in the network's order. */
function inputsOf({ taps, widths, logits }: FeatureGraph, watched: ReadonlySet<string>): EvidenceInputs {
  const ofTap = new Map(taps.map((tap, at) => [tap, widths[at]]));
  return {
    widths: new Map([...ofTap].filter(([tap]) => watched.has(tap))),
    logits,
    classes: ofTap.get(logits)!,
  };
}

async function* groupsOf(
  features: FeatureFile,
  inputs: EvidenceInputs,
  path: string,
  backbone: string,
  onProgress?: OnProgress,
): AsyncGenerator<TapGroup> {
  const { widths, classes } = inputs;
  const layers = layersOf(features, [...widths.keys()], path, backbone);
  const labels = predictedClasses(logitsOf(features, inputs, path, backbone), classes);
  const groups = groupTaps([...widths.values()]);
  for (const [done, group] of groups.entries()) {
    const watched = group.map((at) => layers[at]);
    const columns = watched.map(({ index }) => features.readLayer(index));
    const together = sideBySide(
      columns,
      watched.map(({ width }) => width),
      features.count,
    );
    const width = together.length / features.count;
    yield { taps: watched.map(({ tap }) => tap), features: together, width, labels, classes };
    onProgress?.({ task: 'fit', done: done + 1, total: groups.length, unit: 'groups of layers' });
  }
}

function sideBySide(columns: readonly Float32Array[], widths: readonly number[], rows: number): Float32Array {
  if (columns.length === 1) return columns[0];
  const width = widths.reduce((a, b) => a + b, 0);
  const together = new Float32Array(rows * width);
  let at = 0;
  columns.forEach((column, c) => {
    for (let row = 0; row < rows; row++)
      together.set(column.subarray(row * widths[c], (row + 1) * widths[c]), row * width + at);
    at += widths[c];
  });
  return together;
}
