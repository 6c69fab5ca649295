import { openFeatures } from '../../converters/hdf5/features.ts';

/**
 * Counts the images of a feature file whose values in the last layer are, bit by bit, those of an image of another: the
 * same image has the same features. Images that are only nearly the same are found by `findDuplicates`.
 */
export async function countSharedImages(file: string, ofFile: string): Promise<number> {
  const known = new Set(await lastLayerRows(ofFile));
  return (await lastLayerRows(file)).filter((row) => known.has(row)).length;
}

/** Each image's values as text, by their bytes. */
async function lastLayerRows(path: string): Promise<string[]> {
  const features = await openFeatures(path);
  try {
    const layer = features.layers - 1;
    const width = features.widths[layer];
    const { buffer } = Float32Array.from(features.readLayer(layer));
    return Array.from({ length: features.count }, (_, i) =>
      Buffer.from(buffer, 4 * width * i, 4 * width).toString('latin1'),
    );
  } finally {
    features.close();
  }
}
