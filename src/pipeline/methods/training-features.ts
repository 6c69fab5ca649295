import type { FeatureFile } from '../../../converters/hdf5/features.ts';
import { RunError } from '../../common/errors.ts';
import type { LayerDetector } from '../../detectors/fit-layer.ts';
import { groupTaps, type TapGroup } from '../../detectors/layer-detectors.ts';
import type { TrainingFeatures } from '../../detectors/methods/training.ts';
import type { LinearHead } from '../../graph/classifier/classifier.ts';
import { type FeatureLayer, featureLayers } from '../features/feature-files.ts';
import { HEAD_INPUT_LAYER, LABELS_LAYER, MULTI_LABEL } from '../features/features.ts';

/** The layers of a feature file that methods read. */
export interface MethodLayers {
  readonly logits: FeatureLayer;
  /** Absent where the classifier has no last linear layer. */
  readonly headInput?: FeatureLayer;
  /** The class of each image, N×1, where it is known. */
  readonly labels?: FeatureLayer;
  /** Those that get a detector, but the logits. */
  readonly taps: readonly FeatureLayer[];
}

/**
 * The layers of a feature file by what they are.
 *
 * @throws RunError where it does not say which are the logits
 */
export function methodLayers(features: FeatureFile): MethodLayers {
  const { attributes, path } = features;
  const layers = featureLayers(features);
  const named = (attribute: string) => layers.find(({ tap }) => tap === attributes[attribute]);
  const logits = named('logits');
  if (!logits)
    throw new RunError(
      path,
      'does not say which of its layers the logits are',
      'make it again with la-ood features',
    );
  return {
    logits,
    headInput: named(HEAD_INPUT_LAYER),
    labels: named(LABELS_LAYER),
    taps: layers.filter(({ hasDetector, tap }) => hasDetector && tap !== logits.tap),
  };
}

export interface TrainingSources {
  /** The classifier's last layer; absent where it is not linear. */
  readonly head?: LinearHead;
  /** The run's one-class SVMs. */
  readonly svms?: readonly LayerDetector[];
}

/**
 * The training features of an open feature file, for methods.
 *
 * @throws RunError where it was written before head inputs were: it is to be made again
 */
export function trainingFeatures(features: FeatureFile, { head, svms }: TrainingSources): TrainingFeatures {
  const { logits, headInput, labels, taps } = methodLayers(features);
  if (head && !headInput)
    throw new RunError(
      features.path,
      'lacks what goes into the last layer, which la-ood wrote no such features of before',
      'run la-ood features again',
    );
  return {
    count: features.count,
    classes: logits.width,
    isMultiLabel: features.attributes[MULTI_LABEL] === 'true',
    width: headInput?.width,
    head,
    labels: labels && Uint32Array.from(features.readLayer(labels.index)),
    logits: (start, count) => features.readLayerRows(logits.index, start, count),
    headInput: (start, count) => features.readLayerRows(headInput!.index, start, count),
    layers: taps.length > 0 ? () => groupsOf(features, taps, logits) : undefined,
    svms,
  };
}

/** Neighbouring taps with their features side by side. */
async function* groupsOf(
  features: FeatureFile,
  taps: readonly FeatureLayer[],
  logits: FeatureLayer,
): AsyncGenerator<TapGroup> {
  const classes = logits.width;
  for (const group of groupTaps(taps.map(({ width }) => width))) {
    const layers = group.map((at) => taps[at]);
    const width = layers.reduce((sum, layer) => sum + layer.width, 0);
    const values = new Float32Array(features.count * width);
    let at = 0;
    for (const layer of layers) {
      const column = features.readLayer(layer.index);
      for (let row = 0; row < features.count; row++)
        values.set(column.subarray(row * layer.width, (row + 1) * layer.width), row * width + at);
      at += layer.width;
    }
    yield {
      ...{ taps: layers.map(({ tap }) => tap), features: values, width, classes },
      labels: new Uint32Array(features.count),
    };
  }
}
