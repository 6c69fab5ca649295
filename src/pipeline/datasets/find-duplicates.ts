import { duplicates, imagePrints } from '../../../data/duplicates.ts';
import type { OnProgress } from '../../common/progress.ts';
import { type OnLeftOut, openImages } from '../open-images.ts';

export interface DuplicateReport {
  /** The set that the others are compared with. */
  readonly set: string;
  readonly images: number;
  readonly others: readonly DuplicateSet[];
}

/** Images of one set that are in the first one too. */
export interface DuplicateSet {
  readonly set: string;
  readonly images: number;
  readonly exact: number;
  readonly near: number;
  readonly duplicates: readonly {
    readonly image: string;
    /** The one in the first set. */
    readonly of: string;
    readonly exact: boolean;
  }[];
}

/**
 * Finds the images of some sets that are in another too, the same or nearly so (see `duplicates`): OOD images that are
 * InD images make every figure meaningless, and test images that were trained on make it too good.
 *
 * @param set what to open (see `openImageSet`)
 * @throws DataError where a set cannot be read
 *
 * @example
 * ```ts
 * import { findDuplicates } from 'la-ood/guard';
 *
 * const { others } = await findDuplicates('photos/train', ['photos/test']);
 * for (const { set, exact, near } of others) console.log(set, exact, near);
 * ```
 */
export async function findDuplicates(
  set: string,
  others: readonly string[],
  { onProgress, onLeftOut }: { readonly onProgress?: OnProgress; readonly onLeftOut?: OnLeftOut } = {},
): Promise<DuplicateReport> {
  const { images: first } = await openImages(set, { onLeftOut });
  const prints = await imagePrints(first, onProgress);
  const reports: DuplicateSet[] = [];
  for (const other of others) {
    const { images: opened } = await openImages(other, { onLeftOut });
    const { name, length: total } = opened;
    const found = duplicates(await imagePrints(opened, onProgress), prints, (done) =>
      onProgress?.({ task: `comparing ${name}`, done, total, unit: 'images' }),
    );
    const exact = found.filter((duplicate) => duplicate.exact).length;
    reports.push({
      set: other,
      images: opened.length,
      exact,
      near: found.length - exact,
      duplicates: found.map(({ image, of, exact }) => ({
        image: opened.imageName(image),
        of: first.imageName(of),
        exact,
      })),
    });
  }
  return { set, images: first.length, others: reports };
}
