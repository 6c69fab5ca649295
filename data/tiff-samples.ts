import { readTiffTags, tiffTag } from './tiff.ts';

/** What the samples of a decoded image are, where they are to become RGB bytes as Pillow makes them. */
export type Samples = '8-bit' | '16-bit grey' | '16-bit colour' | 'CMYK';

/** Values of the photometric interpretation: white is zero, black is zero, RGB, palette, CMYK, YCbCr. */
const [whiteIsZero, blackIsZero, rgb, palette, separated, ycbcr] = [0, 1, 2, 3, 5, 6];
const JPEG_COMPRESSION = 7;
const UNSIGNED = 1;
/** Of an extra sample: alpha that the colours are multiplied by. */
const ASSOCIATED_ALPHA = 1;

/**
 * What the samples of a TIFF's first page are.
 *
 * @throws Error where Pillow reads them otherwise than libvips, or not at all
 */
export function tiffSamples(bytes: Uint8Array): Samples {
  const tags = readTiffTags(bytes);
  if (!tags) throw new Error('TIFF is cut short');
  const one = (tag: number, otherwise: number) => tags.get(tag)?.[0] ?? otherwise;
  const photometric = one(tiffTag.photometric, whiteIsZero);
  const bits = one(tiffTag.bits, 1);
  const format = one(tiffTag.sampleFormat, UNSIGNED);
  const count = one(tiffTag.samples, 1);
  const extra = tags.get(tiffTag.extraSamples) ?? [];
  const refuse = () => {
    const kind = `photometric interpretation ${photometric}, ${count} × ${bits} bits, sample format ${format}`;
    throw new Error(
      `TIFF of ${kind}, compression ${one(tiffTag.compression, 1)}, is not read: save it as 8-bit RGB`,
    );
  };
  if (format !== UNSIGNED || tags.get(tiffTag.bits)?.some((each) => each !== bits)) return refuse();
  const isGray = photometric === whiteIsZero || photometric === blackIsZero;
  if (isGray && count === 1 && bits === 16) return '16-bit grey';
  if ((isGray || photometric === palette) && count - extra.length === 1 && bits <= 8)
    return bits === 8 || extra.length === 0 ? '8-bit' : refuse();
  if (photometric === rgb && bits === 8 && (count === 3 || count === 4)) return '8-bit';
  const isMultiplied = extra[0] === ASSOCIATED_ALPHA;
  if (photometric === rgb && bits === 16 && (count === 3 || count === 4) && !isMultiplied)
    return '16-bit colour';
  if (photometric === separated && bits === 8 && count === 4) return 'CMYK';
  if (photometric === ycbcr && bits === 8 && one(tiffTag.compression, 1) === JPEG_COMPRESSION) return '8-bit';
  return refuse();
}

/** How a TIFF's first page lies, 1 … 8; Pillow turns TIFFs always. */
export function tiffOrientation(bytes: Uint8Array): number {
  const [own = 1] = readTiffTags(bytes)?.get(tiffTag.orientation) ?? [];
  return own >= 1 && own <= 8 ? own : 1;
}
