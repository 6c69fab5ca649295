import { pngChunks, webpChunks } from '../../data/chunks.ts';
import { segments } from '../../data/jpeg/headers.ts';

/**
 * Overwrites the EXIF data of a JPEG, PNG or WebP file with zeros, in place. Browsers turn images as it says, and cannot be
 * told not to; `la-ood score` takes the pixels as they are stored. (A PNG's checksum of it is then wrong, for which
 * decoders drop it.)
 */
export function blankExif(bytes: Uint8Array): void {
  for (const data of exifData(bytes)) data.fill(0);
}

function exifData(bytes: Uint8Array): Uint8Array[] {
  if (bytes[0] === 0xff)
    return Array.from(segments(bytes))
      .filter(({ marker }) => marker === 0xe1)
      .map(({ body }) => body);
  return bytes[0] === 0x89 ? pngChunks(bytes, 'eXIf') : webpChunks(bytes, 'EXIF');
}
