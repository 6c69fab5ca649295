import { addNearestDistance, fitHeadGaussians } from '../methods/gaussians.ts';
import { gen } from '../methods/gen.ts';
import { mahalanobisPlusPlus } from '../methods/mahalanobis-plus-plus.ts';
import type { FittedMethod, Method } from '../methods/method.ts';
import { addNormalized } from '../methods/operators.ts';
import type { Training } from '../methods/training.ts';

/** Fewer training images a class than this tell no mean of it. */
const IMAGES_A_CLASS = 20;

/** Mahalanobis++ about class means where an image is of one class and there are images enough, else about one mean. */
const distance: Method = {
  ...mahalanobisPlusPlus,
  async fit(training, options) {
    if (training.features.isMultiLabel) return aboutOneMean(training, 'an image may be of several');
    if (training.count >= IMAGES_A_CLASS * training.classes)
      return mahalanobisPlusPlus.fit(training, options);
    return aboutOneMean(
      training,
      `there are ${training.count} training images for ${training.classes} classes, and ${IMAGES_A_CLASS} a class are needed for class means`,
    );
  },
};

/**
 * Mahalanobis++ about one mean for all classes, by Ledoit and Wolf's covariance: for classifiers of many classes and few images. Class
 * means add nothing there.
 */
async function aboutOneMean(training: Training, reason: string): Promise<FittedMethod> {
  const gaussians = await fitHeadGaussians(training, { normalized: true, about: 'mean', shrunk: true });
  return {
    notes: [`one mean for all classes: ${reason}`, ...gaussians.notes],
    addScore: (nodes, { headInput }) => addNearestDistance(nodes, gaussians, addNormalized(nodes, headInput)),
  };
}

/** The methods that tell whether an image's content is what a classifier was taught: of its logits, and of its head input. */
export const contentMethods: readonly Method[] = [gen, distance];
