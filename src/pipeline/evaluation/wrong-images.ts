import { basename } from 'node:path';
import { openFeatures } from '../../../converters/hdf5/features.ts';
import { LaOodError } from '../../common/errors.ts';
import { featureLayers } from '../features/feature-files.ts';
import { openRecorded, recordedSet } from '../features/recorded-set.ts';
import type { RunFolder } from '../run-folder.ts';

/**
 * Which InD test images the run's classifier gets wrong: for each image 1 or 0. Labels are those of the images, which are
 * opened again; none is decoded.
 *
 * @param file the InD feature file
 * @returns undefined where the images have no labels that are the classifier's; why, where they had when the features were
 * computed and cannot be had now
 */
export async function wrongImages(
  run: RunFolder,
  file: string,
): Promise<Uint8Array | { readonly missing: string } | undefined> {
  const accuracy = run.record(`features/${basename(file, '.hdf5')}`)?.results.accuracy;
  if (accuracy === undefined) return undefined;
  const predicted = await predictions(file);
  const recorded = recordedSet(run, file);
  const images = await openRecorded(recorded).catch((error) => {
    if (error instanceof LaOodError) return error;
    throw error;
  });
  if (images instanceof LaOodError) return { missing: `${images.where}: ${images.problem}` };
  const isWrong = predicted?.map((label, image) => (label === images.label(image) ? 0 : 1));
  const right = isWrong?.reduce((sum, wrong) => sum + 1 - wrong, 0);
  if (!isWrong || images.length !== isWrong.length || right! / isWrong.length !== accuracy)
    return { missing: `${recorded.source}: is not what it was when its features were computed` };
  return Uint8Array.from(isWrong);
}

/** The class of the highest logit, for each image; undefined where the file has no logits. */
async function predictions(file: string): Promise<Uint32Array | undefined> {
  const features = await openFeatures(file);
  try {
    const layer = featureLayers(features).find(({ tap }) => tap === features.attributes.logits);
    if (!layer) return undefined;
    const logits = features.readLayer(layer.index);
    return Uint32Array.from({ length: features.count }, (_, image) => {
      const row = logits.subarray(image * layer.width, (image + 1) * layer.width);
      return row.reduce((top, value, label) => (value > row[top] ? label : top), 0);
    });
  } finally {
    features.close();
  }
}
