import { advice, command, option, RunError } from '../../common/errors.ts';
import { alarmsOf, fewestImages, supportsRate } from '../../evaluation/conformal.ts';
import { imageHashes } from '../features/image-hashes.ts';

/** The feature files of held-out images, and of the training images where there are any. */
export interface CalibrationSources {
  readonly heldOut: string;
  readonly train?: string;
}

/**
 * Looks at the calibration images before anything is fitted. Images are told apart by their logits.
 *
 * @returns what makes the promise doubtful, in a line each: some of them are training images, or copies of each other
 * @throws UsageError where they are too few for the rate; RunError where so many are copies that the others are too few, or all are
 * training images
 */
export async function checkCalibrationImages(
  { heldOut, train }: CalibrationSources,
  rate: number,
): Promise<string[]> {
  const images = await imageHashes(heldOut);
  alarmsOf(images.length, rate);
  const copies = checkCopies(images, heldOut, rate);
  const known = new Set(train ? await imageHashes(train) : []);
  const same = images.filter((image) => known.has(image)).length;
  if (same === images.length)
    throw new RunError(
      heldOut,
      'all its images are training images, of which a classifier is surer than of others: no false-alarm rate can be promised',
      advice`run ${command('features', option('test', 'SET'))} with InD images that nothing was trained on`,
    );
  return [
    ...copies,
    ...(same > 0
      ? [
          `${same} of the ${images.length} calibration images have the logits of training images: the false-alarm rate is not what is stated, since a classifier is surer of what it was trained on`,
        ]
      : []),
  ];
}

/**
 * @param images what tells them apart, each one's
 * @param where their file, for errors
 * @returns a note where some are copies of others
 * @throws RunError where the different ones are too few for the rate
 */
export function checkCopies(images: readonly string[], where: string, rate: number): string[] {
  const different = new Set(images).size;
  if (different === images.length) return [];
  const found = `${different} of its ${images.length} images ${different === 1 ? 'is' : 'are'} different from each other`;
  if (!supportsRate(different, rate))
    throw new RunError(
      where,
      `${different === 1 ? 'all its images are alike' : `only ${found}`}`,
      `calibrate with at least ${fewestImages(rate)} different images, of many scenes`,
    );
  return [`only ${found} (by the classifier's logits): copies promise nothing more`];
}

/** @throws RunError where all calibration images have one score: every other image would be as usual as they are */
export function checkSpread(scores: Float32Array, where: string): void {
  if (scores.every((score) => score === scores[0]))
    throw new RunError(where, 'all its images have one score', 'calibrate with images that differ');
}
