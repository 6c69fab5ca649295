import { extname } from 'node:path';
import sharp from 'sharp';
import { DataError } from '../src/common/errors.ts';
import { decodeGif } from './gif.ts';
import type { Color, Image, ImageSize } from './image-set.ts';
import { decodeJpeg } from './jpeg/decode-jpeg.ts';
import { jpegFrame } from './jpeg/headers.ts';
import { maxPixels, pickColors } from './pixels.ts';

/** File name endings that are read as images, in lower case. */
export const imageExtensions: readonly string[] = ['.jpg', '.jpeg', '.png', '.webp', '.gif'];

/** Whether a file of this name is read as an image. */
export function isImageName(name: string): boolean {
  return imageExtensions.includes(extname(name).toLowerCase());
}

/** What else is done with an image when it is decoded. */
export interface DecodeOptions {
  /** Turns and mirrors it as its EXIF orientation says; else the pixels stay as they are stored. */
  readonly orient?: boolean;
  /** The colour behind transparent pixels; where absent, alpha is dropped. */
  readonly background?: Color;
}

/**
 * Decodes an image file to the pixels that Pillow's `Image.open(path).convert('RGB')` gives: alpha (unless
 * `background` is given) and colour profiles are dropped; grey, palette and CMYK become RGB; of 16-bit colours the upper byte is taken, and 16-bit grey
 * is cut off at 255; an animation is its first frame. Blocks the thread: `decodeEach` does it
 * in others.
 *
 * @param where what to call the file in an error
 * @throws DataError where it is damaged, no JPEG, PNG, WebP or GIF, or has more than 179 million pixels
 */
export async function decodeImage(
  bytes: Uint8Array,
  where: string,
  options: DecodeOptions = {},
): Promise<Image> {
  try {
    if (isGif(bytes)) return decodeGif(bytes, maxPixels);
    const jpeg = options.orient ? undefined : decodeJpeg(bytes);
    if (jpeg) return jpeg;
    const kind = samplesOf(bytes);
    const decoder = sharp(bytes, { ignoreIcc: true, failOn: 'error', limitInputPixels: maxPixels });
    if (options.orient) decoder.autoOrient();
    if (kind === 'CMYK') decoder.pipelineColourspace('cmyk').toColourspace('cmyk');
    const is16Bit = kind === '16-bit grey' || kind === '16-bit colour';
    if (is16Bit) decoder.toColourspace('rgb16');
    const { data, info } = await decoder
      .raw(is16Bit ? { depth: 'ushort' } : {})
      .toBuffer({ resolveWithObject: true });
    return {
      height: info.height,
      width: info.width,
      pixels: toRgb(data, info.channels, kind, options.background),
    };
  } catch (error) {
    throw undecodable(where, error as Error);
  }
}

/**
 * The size that an image file's header tells.
 *
 * @throws DataError where it is no image
 */
export async function imageSize(bytes: Uint8Array, where: string): Promise<ImageSize> {
  const frame = jpegFrame(bytes);
  if (frame) return { height: frame.height, width: frame.width };
  try {
    const { height, width } = await sharp(bytes, { limitInputPixels: maxPixels }).metadata();
    return { height, width };
  } catch (error) {
    throw undecodable(where, error as Error);
  }
}

function undecodable(where: string, { message }: Error): DataError {
  const [reason] = message.trim().split('\n');
  return new DataError(
    where,
    `cannot be decoded (${reason})`,
    'replace the image, or take it out of the set',
  );
}

type Samples = '8-bit' | '16-bit grey' | '16-bit colour' | 'CMYK';

/**
 * What libvips would convert to RGB otherwise than Pillow does. Read from the header, because asking libvips for it
 * takes a third as long as decoding a small image.
 */
function samplesOf(bytes: Uint8Array): Samples {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const isPng = view.length > 25 && view.readUInt32BE(0) === 0x89504e47;
  // The header holds the bits a sample, then the colour type, of which grey alone is 0.
  if (isPng && view[24] === 16) return view[25] === 0 ? '16-bit grey' : '16-bit colour';
  return jpegFrame(bytes)?.components === 4 ? 'CMYK' : '8-bit';
}

function isGif(bytes: Uint8Array): boolean {
  return /^GIF8[79]a$/.test(Buffer.from(bytes.subarray(0, 6)).toString('latin1'));
}

/** RGB bytes of pixels as libvips gives them. */
function toRgb(data: Buffer, channels: number, kind: Samples, background?: Color): Uint8Array {
  switch (kind) {
    case '8-bit':
      return pickColors(data, channels, (sample) => sample, background);
    case 'CMYK':
      return fromCmyk(data);
    case '16-bit grey':
      return pickColors(samples16(data), channels, (sample) => Math.min(sample, 255), background);
    case '16-bit colour':
      return pickColors(samples16(data), channels, (sample) => sample >> 8, background);
  }
}

/** libvips' samples are in the machine's byte order, which is little-endian wherever it runs. */
function samples16(data: Buffer): Uint16Array {
  return new Uint16Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length));
}

/** As `cmyk2rgb` of Pillow's `Convert.c`: paper minus key, times one minus the ink, in rounded fixed point. */
function fromCmyk(pixels: Uint8Array): Uint8Array {
  const count = pixels.length / 4;
  const rgb = new Uint8Array(3 * count);
  for (let i = 0; i < count; i++) {
    const light = 255 - pixels[4 * i + 3];
    for (let c = 0; c < 3; c++) {
      const product = pixels[4 * i + c] * light + 128;
      rgb[3 * i + c] = light - (((product >> 8) + product) >> 8);
    }
  }
  return rgb;
}
