import { addNearestDistance, fitHeadGaussians } from '../methods/gaussians.ts';
import { gen } from '../methods/gen.ts';
import { mahalanobisPlusPlus } from '../methods/mahalanobis-plus-plus.ts';
import type { Method } from '../methods/method.ts';
import { addNormalised } from '../methods/operators.ts';

/** Fewer training images a class than this tell no mean of it. */
const IMAGES_A_CLASS = 20;

/**
 * Mahalanobis++ about one mean for all classes, by Ledoit and Wolf's covariance: for classifiers of many classes and few images. Class
 * means add nothing there.
 */
const aboutOneMean: Method = {
  ...mahalanobisPlusPlus,
  async fit(training) {
    const gaussians = await fitHeadGaussians(training, { normalised: true, about: 'mean', shrunk: true });
    return {
      notes: [
        `one mean for all classes: there are ${training.count} training images for ${training.classes} classes, and ${IMAGES_A_CLASS} a class are needed for class means`,
        ...gaussians.notes,
      ],
      addScore: (nodes, { headInput }) =>
        addNearestDistance(nodes, gaussians, addNormalised(nodes, headInput)),
    };
  },
};

/** Mahalanobis++ about class means where there are images enough, else about one mean. */
const distance: Method = {
  ...mahalanobisPlusPlus,
  fit: (training, options) =>
    (training.count < IMAGES_A_CLASS * training.classes ? aboutOneMean : mahalanobisPlusPlus).fit(
      training,
      options,
    ),
};

/** The methods that tell whether an image's content is what a classifier was taught: of its logits, and of its head input. */
export const contentMethods: readonly Method[] = [gen, distance];
