import { openFeatures } from '../../../converters/hdf5/open-features.ts';
import { sha256 } from '../../common/files.ts';
import { featureLayers } from './feature-files.ts';
import { blocksOf } from './feature-rows.ts';

/**
 * What tells the images of a feature file apart: the SHA-256 of each one's logits, or of its values in the last layer where the
 * file does not say which those are. As large whatever the number of classes; copies that are only nearly the same are found by
 * `findDuplicates`.
 */
export async function imageHashes(path: string): Promise<string[]> {
  const features = await openFeatures(path);
  try {
    const layers = featureLayers(features);
    const { index } = layers.find(({ tap }) => tap === features.attributes.logits) ?? layers.at(-1)!;
    return blocksOf(features.count).flatMap(({ start, rows }) =>
      rowHashes(features.readLayerRows(index, start, rows), rows),
    );
  } finally {
    features.close();
  }
}

/** The SHA-256 of each of so many rows, by its bytes. */
export function rowHashes({ buffer, byteOffset, byteLength }: Float32Array, count: number): string[] {
  const bytes = byteLength / count;
  return Array.from({ length: count }, (_, row) =>
    sha256(new Uint8Array(buffer, byteOffset + row * bytes, bytes)),
  );
}
