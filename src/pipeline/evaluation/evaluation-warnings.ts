import type { Evaluation } from '../../evaluation/evaluate.ts';
import { setName } from '../features/feature-files.ts';
import { imageHashes } from '../features/image-hashes.ts';

/**
 * What makes an evaluation's figures doubtful, in a line each without a full stop: images of an OOD set that are InD
 * images, told by `imageHashes`, and sets of different sizes.
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
  const indImages = await imageHashes(ind);
  const known = new Set(indImages);
  for (const file of oods) {
    const name = setName(file);
    const shared = (await imageHashes(file)).filter((image) => known.has(image)).length;
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
