import type { FeatureFile } from '../../../converters/hdf5/open-features.ts';
import { advice, command, RunError } from '../../common/errors.ts';
import type { LayerSvm } from '../../detectors/layer-svm.ts';
import type { TrainingFeatures, TrainingLayers } from '../../detectors/methods/training.ts';
import type { LinearHead } from '../../graph/classifier/classifier.ts';
import { HEAD_INPUT_LAYER, LABELS_LAYER, MULTI_LABEL } from '../features/feature-attributes.ts';
import { type FeatureLayer, featureLayers } from '../features/feature-files.ts';

/** The layers of a feature file that methods read. */
export interface MethodLayers {
  readonly logits: FeatureLayer;
  /** Absent where the classifier has no last linear layer. */
  readonly headInput?: FeatureLayer;
  /** The class of each image, N×1, where it is known. */
  readonly labels?: FeatureLayer;
  /** All others: the network's taps. */
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
      advice`make it again with ${command('features')}`,
    );
  const [headInput, labels] = [named(HEAD_INPUT_LAYER), named(LABELS_LAYER)];
  const taps = layers.filter((layer) => ![logits, headInput, labels].includes(layer));
  return { logits, headInput, labels, taps };
}

export interface TrainingSources {
  /** The classifier's last layer; absent where it is not linear. */
  readonly head?: LinearHead;
  /** The run's one-class SVMs. */
  readonly svms?: readonly LayerSvm[];
}

/**
 * The training features of an open feature file, for methods.
 *
 * @throws RunError where it was written before head inputs were: it is to be made again
 */
export function trainingFeatures(features: FeatureFile, { head, svms }: TrainingSources): TrainingFeatures {
  const { logits, headInput, labels, taps } = methodLayers(features);
  const watched = taps.filter(({ hasDetector }) => hasDetector);
  if (head && !headInput)
    throw new RunError(
      features.path,
      'lacks what goes into the last layer, which la-ood wrote no such features of before',
      advice`run ${command('features')} again`,
    );
  return {
    count: features.count,
    classes: logits.width,
    isMultiLabel: features.attributes[MULTI_LABEL] === 'true',
    width: headInput?.width,
    head,
    labels: labels && classesOf(features, labels, logits.width),
    logits: (start, count) => features.readLayerRows(logits.index, start, count),
    headInput: (start, count) => features.readLayerRows(headInput!.index, start, count),
    layers: watched.length > 0 ? layersOfTaps(features, watched) : undefined,
    svms,
  };
}

function layersOfTaps(features: FeatureFile, taps: readonly FeatureLayer[]): TrainingLayers {
  const byTap = new Map(taps.map((layer) => [layer.tap, layer]));
  return {
    widths: new Map(taps.map(({ tap, width }) => [tap, width])),
    read: (tap) => features.readLayer(byTap.get(tap)!.index),
  };
}

/** @throws RunError where one is no class of the classifier */
function classesOf(features: FeatureFile, { index }: FeatureLayer, classes: number): Uint32Array {
  const labels = features.readLayer(index);
  const at = labels.findIndex((label) => !(Number.isInteger(label) && label >= 0 && label < classes));
  if (at >= 0)
    throw new RunError(
      features.path,
      `image ${at} is of class ${labels[at]}, and the classifier has ${classes}`,
      advice`run ${command('features')} again`,
    );
  return Uint32Array.from(labels);
}
