import type { ImageSet } from './image-set.ts';
import { randomNumbers, subset } from './subset.ts';

/** Images on a sheet, and how many stand in a row. */
const most = 100;
const columns = 10;
/** Height and width of an image on it, and the pixels between two. */
const side = 64;
const gap = 2;

/**
 * Images of a set in rows, to see at a glance what is in it: 100 that a seed chooses, in the set's order, each its
 * middle in 64 × 64 pixels.
 *
 * @returns a PNG file
 * @throws DataError where one of them cannot be decoded
 */
export async function contactSheet(set: ImageSet, seed: number): Promise<Uint8Array> {
  const chosen = subset(set, randomNumbers(set.length, most, seed).sort());
  const pixels = await chosen.read(0, chosen.length, { height: side, width: side, shorterSide: side });
  const rows = Math.ceil(chosen.length / columns);
  const width = Math.min(chosen.length, columns) * (side + gap) + gap;
  const height = rows * (side + gap) + gap;
  const sheet = new Uint8Array(3 * width * height).fill(255);
  for (let i = 0; i < chosen.length; i++) {
    const left = gap + (i % columns) * (side + gap);
    const top = gap + Math.floor(i / columns) * (side + gap);
    for (let y = 0; y < side; y++) {
      const from = 3 * side * (i * side + y);
      sheet.set(pixels.subarray(from, from + 3 * side), 3 * ((top + y) * width + left));
    }
  }
  const { default: sharp } = await import('sharp');
  return sharp(sheet, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
}
