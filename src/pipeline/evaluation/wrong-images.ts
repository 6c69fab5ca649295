import { openFeatures } from '../../../converters/hdf5/open-features.ts';
import { LABELS_LAYER } from '../features/feature-attributes.ts';
import { featureLayers } from '../features/feature-files.ts';

/**
 * Which images of a feature file the classifier gets wrong: for each image 1 or 0; undefined where the file has no labels
 * that are the classifier's, or no logits.
 */
export async function wrongImages(file: string): Promise<Uint8Array | undefined> {
  const features = await openFeatures(file);
  try {
    const named = (attribute: string) =>
      featureLayers(features).find(({ tap }) => tap === features.attributes[attribute]);
    const logits = named('logits');
    const labels = named(LABELS_LAYER);
    if (!logits || !labels) return undefined;
    const actual = features.readLayer(labels.index);
    const values = features.readLayer(logits.index);
    return Uint8Array.from(actual, (label, image) => {
      const row = values.subarray(image * logits.width, (image + 1) * logits.width);
      const top = row.reduce((top, value, at) => (value > row[top] ? at : top), 0);
      return top === label ? 0 : 1;
    });
  } finally {
    features.close();
  }
}
