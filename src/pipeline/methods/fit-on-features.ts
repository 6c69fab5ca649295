import type { FeatureFile } from '../../../converters/hdf5/open-features.ts';
import type { OnProgress } from '../../common/progress.ts';
import { fitMethods, type MethodsFit } from '../../detectors/methods/fit-methods.ts';
import type { Method } from '../../detectors/methods/method.ts';
import type { MethodsInputs } from '../../detectors/methods/methods-model.ts';
import { Training } from '../../detectors/methods/training.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';
import { layersOf } from '../features/feature-rows.ts';
import { methodLayers, trainingFeatures } from './training-features.ts';

/** Methods that were fitted on training features, and the inputs of their graphs. */
export interface FittedOnFeatures extends MethodsFit {
  readonly inputs: Pick<MethodsInputs, 'logits' | 'headInput'>;
  /** What class means are made of. */
  readonly labels: 'class labels' | 'predicted classes';
}

/**
 * Fits methods of the logits and the head input on the features of training images.
 *
 * @param backbone SHA-256 of the backbone that the features must be of
 * @throws RunError where they lack what methods need, or are of another backbone
 */
export async function fitOnFeatures(
  methods: readonly Method[],
  { logits, head }: FeatureGraph,
  features: FeatureFile,
  backbone: string,
  onProgress?: OnProgress,
): Promise<FittedOnFeatures> {
  layersOf(features, [logits], features.path, backbone);
  const training = new Training(trainingFeatures(features, { head }));
  let done = 0;
  const fit = await fitMethods(methods, training, {}, ({ title }) =>
    onProgress?.({ task: 'fit', done: ++done, total: methods.length, unit: 'methods', note: title }),
  );
  const layers = methodLayers(features);
  return {
    ...fit,
    inputs: {
      logits: [layers.logits.tap, layers.logits.width],
      headInput: layers.headInput && [layers.headInput.tap, layers.headInput.width],
    },
    labels: training.features.labels ? 'class labels' : 'predicted classes',
  };
}
