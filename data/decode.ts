import { DataError } from '../src/common/errors.ts';
import { bmpSize, decodeBmp } from './bmp.ts';
import { decodeGif, gifSize } from './gif.ts';
import { type ImageKind, imageKind, unreadKind } from './image-kind.ts';
import type { Color, Image, ImageSize } from './image-set.ts';
import { decodeJpeg } from './jpeg/decode-jpeg.ts';
import { adobeTransform, jpegFrame } from './jpeg/headers.ts';
import { orientationOf, turned } from './orientation.ts';
import { MAX_PIXELS, pickColors } from './pixels.ts';
import { type Samples, tiffOrientation, tiffSamples } from './tiff-samples.ts';

/**
 * Pixels that a file may claim for each of its bytes where it claims more than `cheapPixels`: twice what deflate packs of
 * black and white, so that an image costs what its bytes can fill and not what its header says.
 */
const pixelsPerByte = 1 << 14;
const cheapPixels = 1 << 23;

/** What else is done with an image when it is decoded. */
export interface DecodeOptions {
  /** Turns and mirrors it as its EXIF orientation says; else the pixels stay as they are stored. */
  readonly orient?: boolean;
  /** The colour behind transparent pixels; where absent, alpha is dropped. */
  readonly background?: Color;
}

/**
 * Decodes an image file to the pixels that Pillow's `Image.open(path).convert('RGB')` gives: alpha (unless `background`
 * is given) and colour profiles are dropped; grey, palette and CMYK become RGB; of 16-bit colours the upper byte is taken,
 * and 16-bit grey is cut off at 255; an animation, and a file of several pages, is its first; a TIFF lies as it says. AVIF
 * is what libheif decodes, up to some 50 levels from Pillow's libavif at coloured edges. GIF and BMP have no background.
 * Blocks the thread: `decodeEach` does it in others.
 *
 * @param where what to call the file in an error
 * @throws DataError where it is damaged, of no kind that is read, or has more than 179 million pixels
 *
 * @example
 * ```ts
 * import { readFile } from 'node:fs/promises';
 * import { decodeImage, resize } from 'la-ood';
 *
 * const image = await decodeImage(await readFile('photo.jpg'), 'photo.jpg');
 * const pixels = resize(image, { height: 224, width: 224, filter: 'bilinear' });
 * console.log(image.width, image.height, pixels.length); // … 150528
 * ```
 */
export async function decodeImage(
  bytes: Uint8Array,
  where: string,
  options: DecodeOptions = {},
): Promise<Image> {
  try {
    const kind = imageKind(bytes);
    const image = await decodeKind(bytes, kind, options.background);
    if (kind === 'TIFF') return turned(image, tiffOrientation(bytes));
    return options.orient ? turned(image, orientationOf(bytes)) : image;
  } catch (error) {
    throw undecodable(where, error as Error);
  }
}

/**
 * The size that an image file's header tells.
 *
 * @throws DataError where it is no image
 *
 * @example
 * ```ts
 * import { readFile } from 'node:fs/promises';
 * import { imageSize } from 'la-ood';
 *
 * const { height, width } = await imageSize(await readFile('photo.jpg'), 'photo.jpg');
 * console.log(height, width);
 * ```
 */
export async function imageSize(bytes: Uint8Array, where: string): Promise<ImageSize> {
  try {
    const kind = imageKind(bytes);
    const size = await storedSize(bytes, kind);
    return kind === 'TIFF' && tiffOrientation(bytes) >= 5
      ? { height: size.width, width: size.height }
      : { height: size.height, width: size.width };
  } catch (error) {
    throw undecodable(where, error as Error);
  }
}

async function storedSize(bytes: Uint8Array, kind: ImageKind | undefined): Promise<ImageSize> {
  if (kind === 'GIF') return gifSize(bytes);
  if (kind === 'BMP') return bmpSize(bytes);
  if (kind === undefined) throw new Error(`it is ${unreadKind(bytes)}, not an image that is read`);
  const frame = jpegFrame(bytes) ?? pngFrame(bytes);
  if (frame) return frame;
  const { default: sharp } = await import('sharp');
  return sharp(bytes, { limitInputPixels: MAX_PIXELS }).metadata();
}

/** The size in a PNG's first chunk: asking libvips for it takes half as long as decoding a small image. */
function pngFrame(bytes: Uint8Array): ImageSize | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  // The signature, the chunk's length of 13 and its name.
  if (view.length < 33 || view.toString('latin1', 0, 16) !== '\x89PNG\r\n\x1a\n\0\0\0\rIHDR')
    return undefined;
  return { width: view.readUInt32BE(16), height: view.readUInt32BE(20) };
}

async function decodeKind(
  bytes: Uint8Array,
  kind: ImageKind | undefined,
  background?: Color,
): Promise<Image> {
  if (kind === 'JPEG') {
    const image = decodeJpeg(bytes);
    if (image) return image;
  }
  const { height, width } = await storedSize(bytes, kind);
  const pixels = height * width;
  if (pixels > MAX_PIXELS) throw new Error(`${kind} of ${width} × ${height} pixels`);
  if (pixels > cheapPixels && pixels > pixelsPerByte * bytes.length)
    throw new Error(`${width} × ${height} pixels in ${bytes.length} bytes are a decompression bomb`);
  if (kind === 'GIF') return decodeGif(bytes, MAX_PIXELS);
  if (kind === 'BMP') return decodeBmp(bytes, MAX_PIXELS);
  return decodeByLibvips(bytes, kind!, background);
}

async function decodeByLibvips(bytes: Uint8Array, kind: ImageKind, background?: Color): Promise<Image> {
  const samples = kind === 'TIFF' ? tiffSamples(bytes) : samplesOf(bytes, kind);
  const { default: sharp } = await import('sharp');
  const decoder = sharp(bytes, { ignoreIcc: true, failOn: 'error', limitInputPixels: MAX_PIXELS });
  if (samples === 'CMYK') decoder.pipelineColourspace('cmyk').toColourspace('cmyk');
  const is16Bit = samples === '16-bit grey' || samples === '16-bit colour';
  if (is16Bit) decoder.toColourspace('rgb16');
  const { data, info } = await decoder
    .raw(is16Bit ? { depth: 'ushort' } : {})
    .toBuffer({ resolveWithObject: true });
  return { height: info.height, width: info.width, pixels: toRgb(data, info.channels, samples, background) };
}

function undecodable(where: string, cause: Error): DataError {
  const [reason] = cause.message.trim().split('\n');
  return new DataError(
    where,
    `cannot be decoded (${reason})`,
    'replace the image, or take it out of the set',
    cause,
  );
}

/**
 * What libvips would convert to RGB otherwise than Pillow does. Read from the header, because asking libvips for it
 * takes a third as long as decoding a small image.
 */
function samplesOf(bytes: Uint8Array, kind: ImageKind): Samples {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  // The header holds the bits a sample, then the colour type, of which grey alone is 0.
  if (kind === 'PNG' && view[24] === 16) return view[25] === 0 ? '16-bit grey' : '16-bit colour';
  if (jpegFrame(bytes)?.components !== 4) return '8-bit';
  // 0: CMYK; 2: its first three turned as YCbCr is. Decoders disagree on what others mean.
  const transform = adobeTransform(bytes) ?? 0;
  if (transform !== 0 && transform !== 2) throw new Error(`CMYK with the Adobe transform ${transform}`);
  return 'CMYK';
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
