import type { FeatureFile } from '../../../converters/hdf5/features.ts';
import type { OnProgress } from '../../common/progress.ts';
import type { EvidenceInputs } from '../../detectors/evidence-model.ts';
import { groupTaps, sideBySide, type TapGroup } from '../../detectors/layer-detectors.ts';
import { layersOf } from '../features/feature-rows.ts';
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

/** The groups of taps that detectors watch, with their features of training images. */
export async function* tapGroups(
  features: FeatureFile,
  { inputs, backbone, task, onProgress }: GroupSource,
): AsyncGenerator<TapGroup> {
  const { widths, classes } = inputs;
  const taps = [...widths.keys()];
  const labels = predictedClasses(logitsOf(features, inputs, features.path, backbone), classes);
  const groups = groupTaps([...widths.values()]);
  for (const [done, group] of groups.entries()) {
    const watched = group.map((at) => taps[at]);
    const width = group.reduce((sum, at) => sum + widths.get(taps[at])!, 0);
    yield { taps: watched, features: featuresOf(features, watched, backbone), width, labels, classes };
    onProgress?.({ task, done: done + 1, total: groups.length, unit: 'groups of layers' });
  }
}

/** Features of some taps, n × their widths together, row-major. */
function featuresOf(features: FeatureFile, taps: readonly string[], backbone: string): Float32Array {
  const layers = layersOf(features, taps, features.path, backbone);
  return sideBySide(
    layers.map(({ index }) => features.readLayer(index)),
    layers.map(({ width }) => width),
  );
}
