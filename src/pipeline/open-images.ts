import { basename } from 'node:path';
import type { ImageSet, LeftOut } from '../../data/image-set.ts';
import { type OpenOptions, openImageSet } from '../../data/open.ts';
import { undamaged } from '../../data/undamaged.ts';
import type { OnProgress } from '../common/progress.ts';
import type { RunFolder } from './run-folder.ts';

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

/** What was left out of the sets of feature files when they were computed, as the run's manifest has it. */
export function leftOutOf(
  run: RunFolder,
  features: readonly string[],
): { readonly set: string; readonly files: readonly LeftOut[] }[] {
  return features.flatMap((file) => {
    const { source, leftOut } = (run.record(`features/${basename(file, '.hdf5')}`)?.results ?? {}) as {
      source?: string;
      leftOut?: readonly LeftOut[];
    };
    return source !== undefined && leftOut?.length ? [{ set: source, files: leftOut }] : [];
  });
}

/** Tells of what was left out when features were computed. */
export function tellLeftOut(run: RunFolder, features: readonly string[], onLeftOut?: OnLeftOut): void {
  for (const { set, files } of leftOutOf(run, features)) onLeftOut?.(set, files);
}
