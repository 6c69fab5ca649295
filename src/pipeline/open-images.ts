import type { ImageSet, LeftOut } from '../../data/image-set.ts';
import { type OpenOptions, openImageSet } from '../../data/open.ts';
import { undamaged } from '../../data/undamaged.ts';
import type { OnProgress } from '../common/progress.ts';

/** Is told of files that lie in a set and are not read: the set as it was typed, and each with what it is. */
export type OnLeftOut = (set: string, files: readonly LeftOut[]) => void;

export interface OpenImagesOptions extends OpenOptions {
  /** Leaves out images that cannot be decoded, where they would end the work. */
  readonly skipDamaged?: boolean;
  readonly onProgress?: OnProgress;
  readonly onLeftOut?: OnLeftOut;
}

/**
 * Opens a set of images (see `openImageSet`), and tells what in it is not read.
 *
 * @returns `skipped`: the names of the images that cannot be decoded, where they are to be left out
 */
export async function openImages(
  source: string,
  { skipDamaged, onProgress, onLeftOut, ...options }: OpenImagesOptions,
): Promise<{ images: ImageSet; skipped?: readonly string[] }> {
  const opened = await openImageSet(source, options);
  const found = skipDamaged ? await undamaged(opened, onProgress) : { images: opened };
  const { leftOut } = found.images;
  if (leftOut?.length) onLeftOut?.(source, leftOut);
  return found;
}
