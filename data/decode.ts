import sharp from 'sharp';
import { DataError } from '../src/common/errors.ts';
import type { Image } from './image-set.ts';
import { decodeJpeg, jpegFrame } from './jpeg.ts';

/** File name endings that are read as images, in lower case. */
export const imageExtensions: readonly string[] = ['.jpg', '.jpeg', '.png', '.webp', '.gif'];

/** Pillow's own limit against decompression bombs. */
const maxPixels = 178_956_970;

/**
 * Decodes an image file to the pixels that Pillow's `Image.open(path).convert('RGB')` gives: alpha and colour
 * profiles are dropped, grey and palette become RGB, the EXIF orientation is not applied, an animation is its first
 * frame. Blocks the thread: `decodeEach` does it in others.
 *
 * @param where what to call the file in an error
 * @throws DataError where it is damaged, has more than 179 million pixels, or samples that are not 8-bit grey or RGB
 */
export async function decodeImage(bytes: Uint8Array, where: string): Promise<Image> {
  try {
    const jpeg = await decodeJpeg(bytes);
    if (jpeg) {
      const { height, width, samples, channels } = jpeg;
      return { height, width, pixels: toRgb(samples, channels) };
    }
    const samples = unsupportedSamples(bytes);
    if (samples) throw new Error(`its samples are ${samples}, not 8-bit grey or RGB`);
    const { data, info } = await sharp(bytes, {
      ignoreIcc: true,
      failOn: 'error',
      limitInputPixels: maxPixels,
    })
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { height: info.height, width: info.width, pixels: toRgb(data, info.channels) };
  } catch (error) {
    const reason = (error as Error).message.trim().split('\n')[0];
    throw new DataError(
      where,
      `cannot be decoded (${reason})`,
      'replace the image, or take it out of the set',
    );
  }
}

/**
 * What libvips would convert to RGB otherwise than Pillow does. Read from the header, because asking libvips for it
 * takes a third as long as decoding a small image.
 */
function unsupportedSamples(bytes: Uint8Array): string | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const isPng = view.length > 24 && view.readUInt32BE(0) === 0x89504e47;
  if (isPng) return view[24] === 16 ? '16-bit' : undefined;
  return jpegFrame(bytes)?.components === 4 ? 'CMYK' : undefined;
}

/** The colours of grey (1 channel), grey with alpha (2), RGB (3) or RGB with alpha (4). */
function toRgb(pixels: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return pixels;
  const count = pixels.length / channels;
  const [green, blue] = channels < 3 ? [0, 0] : [1, 2];
  const rgb = new Uint8Array(3 * count);
  for (let i = 0; i < count; i++) {
    rgb[3 * i] = pixels[channels * i];
    rgb[3 * i + 1] = pixels[channels * i + green];
    rgb[3 * i + 2] = pixels[channels * i + blue];
  }
  return rgb;
}
