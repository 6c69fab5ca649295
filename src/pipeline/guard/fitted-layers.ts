import { availableParallelism } from 'node:os';
import { type FeatureFile, openFeatures } from '../../../converters/hdf5/features.ts';
import { RunError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import { type DetectorKind, type DetectorPanel, panelOf } from '../../detectors/detector-panel.ts';
import type { EvidenceInputs } from '../../detectors/evidence-model.ts';
import { fitGaussians } from '../../detectors/gaussian.ts';
import { fitKnn } from '../../detectors/knn.ts';
import type { FitLayerDetectors, LayerDetectors } from '../../detectors/layer-detectors.ts';
import { fitMahalanobis } from '../../detectors/mahalanobis.ts';
import { oneClassSvms } from '../../detectors/one-class-svms.ts';
import { readDetectors } from '../detectors/read-detectors.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';
import { tapGroups } from './tap-groups.ts';
import { earlySvms, multiplicationsOf, watchedTaps } from './watched-taps.ts';

/** Detectors of a network's layers, and the inputs of their graphs. */
export interface FittedLayers {
  readonly detectors: DetectorPanel;
  readonly inputs: EvidenceInputs;
}

/** The files that detectors are made of. */
export interface DetectorSources {
  /** Features of the images that the backbone was trained on; all kinds but `ocsvm` are fitted on them. */
  readonly features?: string;
  /** One-class SVMs, that `fitDetectors` wrote. */
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
  sources: DetectorSources,
  backbone: string,
  onProgress?: OnProgress,
): Promise<FittedLayers> {
  const multiplications = multiplicationsOf(graph);
  const watched = watchedTaps(graph, multiplications);
  const threads = availableParallelism();
  const inputs = inputsOf(graph, watched);
  const source = (kind: DetectorKind) => ({ inputs, backbone, task: `fit ${kind}`, onProgress });
  const onGroups = (kind: DetectorKind, fitKind: FitLayerDetectors) =>
    withFeatures([sources.features!], ([features]) => fitKind(tapGroups(features, source(kind)), threads));

  const fitters: Readonly<Record<DetectorKind, () => Promise<LayerDetectors>>> = {
    gaussian: () => onGroups('gaussian', fitGaussians),
    mahalanobis: () => onGroups('mahalanobis', fitMahalanobis),
    knn: () => onGroups('knn', fitKnn),
    async ocsvm() {
      const all = await readDetectors(sources.svms!, backbone, 'that of the run');
      const own = kinds.length > 1 ? earlySvms(all, watched, multiplications) : all;
      if (own.length > 0) return oneClassSvms(own);
      throw new RunError(
        sources.svms!,
        'watches none of the layers that the guard does',
        'run la-ood fit without --layers',
      );
    },
  };
  const byKind = new Map<DetectorKind, LayerDetectors>();
  for (const kind of kinds) byKind.set(kind, await fitters[kind]());
  const detectors = panelOf(byKind);
  return { detectors, inputs: inputsOf(graph, new Set(detectors.groups.flat())) };
}

/** Opens feature files for as long as something is made of them. */
async function withFeatures<T>(
  paths: readonly string[],
  use: (files: readonly FeatureFile[]) => Promise<T>,
): Promise<T> {
  const files: FeatureFile[] = [];
  try {
    for (const path of paths) files.push(await openFeatures(path));
    return await use(files);
  } finally {
    for (const file of files) file.close();
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
