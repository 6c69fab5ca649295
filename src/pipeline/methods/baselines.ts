import { openFeatures } from '../../../converters/hdf5/open-features.ts';
import { fitMethods } from '../../detectors/methods/fit-methods.ts';
import { chooseMethods } from '../../detectors/methods/method-registry.ts';
import { methodsModel } from '../../detectors/methods/methods-model.ts';
import { Training } from '../../detectors/methods/training.ts';
import { featureLayers } from '../features/feature-files.ts';
import { MethodScorer } from './score-methods.ts';
import { trainingFeatures } from './training-features.ts';

/** Methods of the logits that are fitted on nothing: what every classifier yields without a detector. */
export const baselines = chooseMethods(['msp', 'max-logit', 'energy']);

/**
 * Opens those baselines that apply to a feature file's logits: where classes do not exclude each other, the maximum logit alone.
 *
 * @returns undefined where the file does not say which of its layers the logits are
 */
export async function openBaselines(path: string): Promise<MethodScorer | undefined> {
  const features = await openFeatures(path);
  try {
    const logits = featureLayers(features).find(({ tap }) => tap === features.attributes.logits);
    if (!logits) return undefined;
    const { fitted } = await fitMethods(baselines, new Training(trainingFeatures(features, {})));
    return await MethodScorer.open(methodsModel(fitted, { logits: [logits.tap, logits.width] }));
  } finally {
    features.close();
  }
}
