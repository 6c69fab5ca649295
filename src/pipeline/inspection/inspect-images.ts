import { extname } from 'node:path';
import { contactSheet } from '../../../data/contact-sheet.ts';
import { isImageName } from '../../../data/image-kind.ts';
import type { ImageSet, LeftOut } from '../../../data/image-set.ts';
import { openImageSet } from '../../../data/open.ts';
import { randomNumbers } from '../../../data/subset.ts';
import { unreadableKind } from '../../../data/undamaged.ts';
import { DataError } from '../../common/errors.ts';
import { writeAtomically } from '../../common/files.ts';
import type { OnLeftOut } from '../open-images.ts';

/** Images whose sizes are looked up. */
const SAMPLED = 1000;

/** A set of images. */
export interface ImagesInspection {
  readonly kind: 'images';
  /** What was typed. */
  readonly path: string;
  readonly name: string;
  readonly images: number;
  /** How they are kept: a file each, in an array, or not at all (generated sets). */
  readonly stored: 'files' | 'array' | 'drawn';
  /** Image files by their ending. */
  readonly endings: Readonly<Record<string, number>>;
  /** Sizes of the images, or of 1,000 that a seed chose, the most frequent first; none where they are drawn. */
  readonly sizes: readonly { readonly height: number; readonly width: number; readonly images: number }[];
  /** Images whose size was looked up. */
  readonly measured: number;
  /** Images of each class, in the order of the labels. */
  readonly classes?: readonly { readonly name: string; readonly images: number }[];
  /** Images without a class. */
  readonly unlabeled: number;
  /** The contact sheet that was written. */
  readonly sheet?: string;
}

export interface InspectImagesOptions {
  /** Where to write a contact sheet (PNG) of 100 images. */
  readonly sheet?: string;
  /** Seed of the choice of images, and of generated sets; 0 if not given. */
  readonly seed?: number;
  readonly onLeftOut?: OnLeftOut;
}

/**
 * Says what is in a set of images (see `openImageSet`).
 *
 * @throws DataError where it cannot be opened, or all images that are looked at are damaged
 */
export async function inspectImages(
  spec: string,
  { sheet, seed = 0, onLeftOut }: InspectImagesOptions,
): Promise<ImagesInspection> {
  const set = await openImageSet(spec, { seed });
  if (sheet !== undefined) await writeAtomically(sheet, await contactSheet(set, seed));
  const endings = countEndings(set);
  const { sizes, measured, damaged } = await countSizes(set, seed);
  const leftOut = [...(set.leftOut ?? []), ...damaged];
  if (leftOut.length) onLeftOut?.(spec, leftOut);
  return {
    kind: 'images',
    path: spec,
    name: set.name,
    images: set.length,
    stored: !set.storedSize ? 'drawn' : Object.keys(endings).length > 0 ? 'files' : 'array',
    endings,
    sizes,
    measured,
    ...countClasses(set),
    sheet,
  };
}

function countEndings({ length, imageName }: ImageSet): Record<string, number> {
  const endings: Record<string, number> = {};
  for (let i = 0; i < length; i++) {
    const name = imageName(i);
    // Images in arrays are named by their numbers.
    if (/^\d+$/.test(name.replace(/^.*\//, ''))) continue;
    const ending = isImageName(name) ? extname(name).toLowerCase() : 'of another name';
    endings[ending] = (endings[ending] ?? 0) + 1;
  }
  return endings;
}

/** Sizes, and the images that are not read, where not all are. */
async function countSizes({ length, storedSize, imageName }: ImageSet, seed: number) {
  const damaged: LeftOut[] = [];
  if (!storedSize) return { sizes: [], measured: 0, damaged };
  const counts = new Map<string, { height: number; width: number; images: number }>();
  const numbers = randomNumbers(length, SAMPLED, seed);
  for (const number of numbers) {
    const size = await storedSize(number).catch((error: Error) => {
      if (!(error instanceof DataError) || damaged.length + 1 === numbers.length) throw error;
      damaged.push({ name: imageName(number), kind: unreadableKind(error) });
    });
    if (!size) continue;
    const key = `${size.height} ${size.width}`;
    const before = counts.get(key)?.images ?? 0;
    counts.set(key, { ...size, images: before + 1 });
  }
  const sizes = [...counts.values()].sort((a, b) => b.images - a.images);
  return { sizes, measured: numbers.length - damaged.length, damaged };
}

function countClasses({ length, classes, label }: ImageSet) {
  const counts = new Map<number, number>();
  let unlabeled = 0;
  for (let i = 0; i < length; i++) {
    const at = label(i);
    if (at === undefined) unlabeled++;
    else counts.set(at, (counts.get(at) ?? 0) + 1);
  }
  const names = classes ?? [...counts.keys()].sort((a, b) => a - b).map(String);
  const images = (name: string, index: number) => counts.get(classes ? index : Number(name)) ?? 0;
  return {
    classes: names.length > 0 ? names.map((name, i) => ({ name, images: images(name, i) })) : undefined,
    unlabeled,
  };
}
