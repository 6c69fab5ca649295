/*
 * Tags of TIFF files (TIFF 6.0, section 2) and of what is laid out like them: EXIF data, and BigTIFF, whose numbers are
 * longer.
 */

/** Bytes of a value, by its type: BYTE, ASCII, SHORT, LONG, …; only whole numbers are read. */
const numberSizes: Readonly<Record<number, number>> = { 1: 1, 3: 2, 4: 4, 6: 1, 8: 2, 9: 4, 13: 4, 16: 8 };
/** No tag that is looked at has more values. */
const MOST_VALUES = 4096;

/** The whole numbers of the first directory's tags; undefined where the bytes are no TIFF, or cut short in it. */
export function readTiffTags(bytes: Uint8Array): Map<number, number[]> | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const order = bytes.length >= 16 ? view.getUint16(0) : 0;
  if (order !== 0x4949 && order !== 0x4d4d) return undefined;
  const little = order === 0x4949;
  const isBig = view.getUint16(2, little) === 43;
  const number = (at: number, size: number) => {
    if (size === 1) return view.getUint8(at);
    if (size === 2) return view.getUint16(at, little);
    return size === 4 ? view.getUint32(at, little) : Number(view.getBigUint64(at, little));
  };
  const [word, countSize, entrySize] = isBig ? [8, 8, 20] : [4, 2, 12];
  const directory = number(isBig ? 8 : 4, word);
  if (directory + countSize > bytes.length) return undefined;
  const count = number(directory, countSize);
  const entries = directory + countSize;
  const tags = new Map<number, number[]>();
  for (let i = 0; i < count && entries + (i + 1) * entrySize <= bytes.length; i++) {
    const entry = entries + i * entrySize;
    const size = numberSizes[number(entry + 2, 2)];
    const values = number(entry + 4, word);
    if (size === undefined || values > MOST_VALUES) continue;
    const inline = entry + 4 + word;
    const at = size * values <= word ? inline : number(inline, word);
    if (at + size * values > bytes.length) continue;
    tags.set(
      number(entry, 2),
      Array.from({ length: values }, (_, v) => number(at + size * v, size)),
    );
  }
  return tags;
}

/** Tags by their numbers. */
export const tiffTag = {
  width: 256,
  height: 257,
  bits: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  orientation: 274,
  samples: 277,
  extraSamples: 338,
  sampleFormat: 339,
} as const;
