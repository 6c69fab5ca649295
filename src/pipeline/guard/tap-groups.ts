import { type FeatureFile, listedNames } from '../../../converters/hdf5/features.ts';
import { RunError } from '../../common/errors.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { EvidenceInputs } from '../../detectors/evidence-model.ts';
import { groupTaps, sideBySide, type TapGroup } from '../../detectors/layer-detectors.ts';
import type { ProbedGroup } from '../../detectors/probe.ts';
import { layersOf } from '../features/feature-rows.ts';
import { CORRUPTIONS } from '../features/features.ts';
import { logitsOf, predictedClasses } from './gather-evidence.ts';

/** What the features of groups of taps are read of. */
export interface GroupSource {
  readonly inputs: EvidenceInputs;
  /** SHA-256 of the backbone that the features must be of. */
  readonly backbone: string;
  /** What is done with them, for progress. */
  readonly task: string;
  readonly onProgress?: OnProgress;
}

/**
 * The groups of taps that detectors watch, with their features of training images.
 *
 * @param depth which share of the groups, from the input on; at least one
 */
export async function* tapGroups(
  features: FeatureFile,
  { inputs, backbone, task, onProgress }: GroupSource,
  depth = 1,
): AsyncGenerator<TapGroup> {
  const { widths, classes } = inputs;
  const taps = [...widths.keys()];
  const labels = predictedClasses(logitsOf(features, inputs, features.path, backbone), classes);
  const all = groupTaps([...widths.values()]);
  const groups = all.slice(0, Math.max(1, Math.round(depth * all.length)));
  for (const [done, group] of groups.entries()) {
    const watched = group.map((at) => taps[at]);
    const width = group.reduce((sum, at) => sum + widths.get(taps[at])!, 0);
    yield { taps: watched, features: featuresOf(features, watched, backbone), width, labels, classes };
    onProgress?.({ task, done: done + 1, total: groups.length, unit: 'groups of layers' });
  }
}

/** The groups of early taps, with features of corrupted images beside those of training images. */
export async function* probedGroups(
  features: FeatureFile,
  corrupted: FeatureFile,
  source: GroupSource,
  depth: number,
): AsyncGenerator<ProbedGroup> {
  const { length } = corruptionsOf(corrupted);
  for await (const group of tapGroups(features, source, depth)) {
    const all = featuresOf(corrupted, group.taps, source.backbone);
    const each = all.length / length;
    yield {
      ...group,
      corrupted: Array.from({ length }, (_, c) => all.subarray(c * each, (c + 1) * each)),
    };
  }
}

/** By what the images of a feature file are corrupted. @throws RunError where it does not say it */
export function corruptionsOf({ attributes, path, count }: FeatureFile): string[] {
  const corruptions = listedNames(attributes[CORRUPTIONS]);
  if (!corruptions?.length || count % corruptions.length > 0)
    throw new RunError(
      path,
      'does not say what its images are corrupted by',
      'run la-ood features --train once more',
    );
  return corruptions;
}

/** Features of some taps, n × their widths together, row-major. */
function featuresOf(features: FeatureFile, taps: readonly string[], backbone: string): Float32Array {
  const layers = layersOf(features, taps, features.path, backbone);
  return sideBySide(
    layers.map(({ index }) => features.readLayer(index)),
    layers.map(({ width }) => width),
  );
}
