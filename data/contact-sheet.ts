import type { ImageSet } from './image-set.ts';
import { randomNumbers, subset } from './subset.ts';

/** Images on a sheet, and how many stand in a row. */
const MOST = 100;
const COLUMNS = 10;
/** Height and width of an image on it, and the pixels between two. */
const SIDE = 64;
const GAP = 2;

/**
 * Images of a set in rows, to see at a glance what is in it: 100 that a seed chooses, in the set's order, each its
 * middle in 64 × 64 pixels.
 *
 * @returns a PNG file
 * @throws DataError where one of them cannot be decoded
 */
export async function contactSheet(set: ImageSet, seed: number): Promise<Uint8Array> {
  const chosen = subset(set, randomNumbers(set.length, MOST, seed).sort());
  const pixels = await chosen.read(0, chosen.length, { height: SIDE, width: SIDE, shorterSide: SIDE });
  const rows = Math.ceil(chosen.length / COLUMNS);
  const width = Math.min(chosen.length, COLUMNS) * (SIDE + GAP) + GAP;
  const height = rows * (SIDE + GAP) + GAP;
  const sheet = new Uint8Array(3 * width * height).fill(255);
  for (let i = 0; i < chosen.length; i++) {
    const left = GAP + (i % COLUMNS) * (SIDE + GAP);
    const top = GAP + Math.floor(i / COLUMNS) * (SIDE + GAP);
    for (let y = 0; y < SIDE; y++) {
      const from = 3 * SIDE * (i * SIDE + y);
      sheet.set(pixels.subarray(from, from + 3 * SIDE), 3 * ((top + y) * width + left));
    }
  }
  const { default: sharp } = await import('sharp');
  return sharp(sheet, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}
