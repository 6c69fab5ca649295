import { type FeatureFile, openFeatures } from '../../../converters/hdf5/features.ts';
import { alarmsOf } from '../../evaluation/conformal.ts';
import type { FeatureGraph } from '../features/feature-graph.ts';
import { layersOf } from '../features/feature-rows.ts';

/**
 * Looks at the calibration images before anything is fitted.
 *
 * @returns what makes the promise doubtful, in a line each: images that are training images, by their logits
 * @throws UsageError where they are too few for the rate
 */
export async function calibrationImages(
  sources: { readonly train: string; readonly heldOut: string },
  { logits }: FeatureGraph,
  rate: number,
): Promise<{ notes: string[] }> {
  const heldOut = await openFeatures(sources.heldOut);
  const train = await openFeatures(sources.train);
  try {
    alarmsOf(heldOut.count, rate);
    const known = new Set(rowsOf(train, logits));
    const same = rowsOf(heldOut, logits).filter((row) => known.has(row)).length;
    if (same === 0) return { notes: [] };
    return {
      notes: [
        `${same} of the ${heldOut.count} calibration images have the logits of training images: the false-alarm rate is not what is stated, since a classifier is surer of what it was trained on`,
      ],
    };
  } finally {
    heldOut.close();
    train.close();
  }
}

/** The logits of each image, as text to compare by. */
function rowsOf(features: FeatureFile, logits: string): string[] {
  const [{ index, width }] = layersOf(features, [logits], features.path, undefined);
  const all = features.readLayer(index);
  return Array.from({ length: features.count }, (_, row) =>
    all.subarray(row * width, (row + 1) * width).join(),
  );
}
