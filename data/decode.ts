import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { DataError } from '../src/common/errors.ts';
import type { Image } from './image-set.ts';

/** File name endings that are read as images, in lower case. */
export const imageExtensions: readonly string[] = ['.jpg', '.jpeg', '.png', '.webp', '.gif'];

/** Pillow's own limit against decompression bombs. */
const maxPixels = 178_956_970;

/**
 * Decodes an image file to the pixels that Pillow's `Image.open(path).convert('RGB')` gives: alpha and colour
 * profiles are dropped, grey and palette become RGB, the EXIF orientation is not applied, an animation is its first
 * frame. The work is done in libvips' threads.
 *
 * @throws DataError where the file is missing, damaged, has more than 179 million pixels, or samples that are not
 *   8-bit grey or RGB
 */
export async function decodeImage(path: string): Promise<Image> {
  try {
    // Read here and not by libvips, which is slower by a third on small files.
    const bytes = await readFile(path);
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
      path,
      `cannot be decoded (${reason})`,
      'replace the image, or take it out of the set',
    );
  }
}

/**
 * What libvips would convert to RGB otherwise than Pillow does. Read from the header, because asking libvips for it
 * takes a third as long as decoding a small image.
 */
function unsupportedSamples(bytes: Buffer): string | undefined {
  const isPng = bytes.length > 24 && bytes.readUInt32BE(0) === 0x89504e47;
  if (isPng) return bytes[24] === 16 ? '16-bit' : undefined;
  const isJpeg = bytes.length > 2 && bytes.readUInt16BE(0) === 0xffd8;
  // Segments up to the frame header, whose tenth byte is the number of components.
  for (let at = 2; isJpeg && at + 9 < bytes.length; at += 2 + bytes.readUInt16BE(at + 2)) {
    const marker = bytes[at + 1];
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return bytes[at + 9] === 4 ? 'CMYK' : undefined;
  }
  return undefined;
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
