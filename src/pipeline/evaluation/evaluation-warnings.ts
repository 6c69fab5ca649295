import { openFeatures } from '../../../converters/hdf5/open-features.ts';
import type { Evaluation } from '../../evaluation/evaluate.ts';
import { featureLayers, setName } from '../features/feature-files.ts';

/**
 * What makes an evaluation's figures doubtful, in a line each without a full stop: images of an OOD set that are InD
 * images, told by bit-equal logits, or values in the last layer
 * where the file does not say which those are (those that are only nearly the same are found by
 * `findDuplicates`), and sets of different sizes.
 *
 * @param ind the InD feature file
 * @param oods the OOD feature files
 */
export async function warningsOf(
  { sets }: Evaluation,
  ind: string,
  oods: readonly string[],
): Promise<string[]> {
  const warnings: string[] = [];
  const indImages = await logitRows(ind);
  const known = new Set(indImages);
  for (const file of oods) {
    const name = setName(file);
    const shared = (await logitRows(file)).filter((row) => known.has(row)).length;
    if (shared > 0)
      warnings.push(
        `${shared} images of ${name} are images of the InD set ${setName(ind)}: they are not OOD`,
      );
    const compared = sets.find(({ ood }) => ood === name);
    if (compared && compared.indCount < indImages.length)
      warnings.push(
        `${name} has fewer images than ${setName(ind)}: only the first ${compared.indCount} of both were compared`,
      );
  }
  return warnings;
}

/** Each image's values as text, by their bytes. */
async function logitRows(path: string): Promise<string[]> {
  const features = await openFeatures(path);
  try {
    const layers = featureLayers(features);
    const { index, width } = layers.find(({ tap }) => tap === features.attributes.logits) ?? layers.at(-1)!;
    const { buffer } = Float32Array.from(features.readLayer(index));
    return Array.from({ length: features.count }, (_, i) =>
      Buffer.from(buffer, 4 * width * i, 4 * width).toString('latin1'),
    );
  } finally {
    features.close();
  }
}
