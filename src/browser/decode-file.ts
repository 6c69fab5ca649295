import { decodeGif } from '../../data/gif.ts';
import type { Color, Image } from '../../data/image-set.ts';
import { decodeJpeg } from '../../data/jpeg/decode-jpeg.ts';
import { MAX_PIXELS } from '../../data/pixels.ts';
import { DataError } from '../common/errors.ts';
import { browserPixels } from './browser-pixels.ts';

/** An image's pixels, and why they may not be those that `la-ood score` reads, where that is so. */
export interface DecodedFile {
  readonly image: Image;
  readonly note?: string;
}

/**
 * Decodes an image file to the pixels that `la-ood score` decodes it to: usual JPEG and GIF by the same code, in
 * every browser; PNG, WebP and other JPEG by the browser, whose pixels are then taken as they are in the file.
 *
 * @param background the colour behind transparent pixels; where absent, alpha is dropped
 * @throws DataError where it is damaged, or no JPEG, PNG, WebP or GIF
 *
 * @example
 * ```ts
 * import { decodeFile } from 'la-ood/browser';
 *
 * const input = document.querySelector<HTMLInputElement>('input[type=file]')!;
 * const { image, note } = await decodeFile(input.files![0], 'upload');
 * console.log(image.height, image.width, note);
 * ```
 */
export async function decodeFile(file: Blob, name: string, background?: Color): Promise<DecodedFile> {
  const bytes = new Uint8Array(await contents(file, name));
  const kind = kindOf(bytes);
  try {
    switch (kind) {
      case 'GIF':
        return { image: decodeGif(bytes, MAX_PIXELS) };
      case 'JPEG':
        return usualJpeg(bytes) ?? { ...(await browserPixels(bytes)), note: OTHER_JPEG };
      case 'PNG':
      case 'WebP': {
        const { image, note } = await browserPixels(bytes, background);
        return { image, note: isGray16(bytes) ? GREY_16 : note };
      }
    }
  } catch (error) {
    const [reason] = String((error as Error).message ?? error).split('\n');
    throw new DataError(name, `cannot be decoded (${reason})`, 'is it damaged?', error);
  }
  throw new DataError(name, 'is no JPEG, PNG, WebP or GIF', 'save it as one of these');
}

async function contents(file: Blob, name: string): Promise<ArrayBuffer> {
  try {
    return await file.arrayBuffer();
  } catch {
    throw new DataError(name, 'cannot be read', 'if it is a folder, give the images in it');
  }
}

function kindOf(bytes: Uint8Array): 'JPEG' | 'PNG' | 'WebP' | 'GIF' | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, 12));
  if (start.startsWith('\xff\xd8')) return 'JPEG';
  if (start.startsWith('\x89PNG')) return 'PNG';
  if (/^RIFF.{4}WEBP/s.test(start)) return 'WebP';
  return /^GIF8[79]a/.test(start) ? 'GIF' : undefined;
}

function usualJpeg(bytes: Uint8Array): DecodedFile | undefined {
  const image = decodeJpeg(bytes);
  return image && { image };
}

const OTHER_JPEG =
  'A JPEG that is progressive, in CMYK, damaged, or of more than 4 million pixels: this browser decoded it, and la-ood score may see slightly other colours.';

const GREY_16 =
  'A PNG of 16-bit grey: la-ood score cuts its values off at 255, as Pillow does; here they are scaled.';

/** The header of a PNG holds the bits a sample, then the colour type, of which grey alone is 0. */
function isGray16(bytes: Uint8Array): boolean {
  return bytes[0] === 0x89 && bytes[24] === 16 && bytes[25] === 0;
}
