import { inflateSync } from 'node:zlib';
import { pngChunks, webpChunks } from './chunks.ts';
import type { Image } from './image-set.ts';
import { segments } from './jpeg/headers.ts';
import { readTiffTags, tiffTag } from './tiff.ts';

/** Texts of a PNG are unpacked to at most this many bytes. */
const maxText = 1 << 20;

/**
 * How an image lies, 1 … 8 as EXIF counts, where its file says so: in EXIF data, in a PNG also in the text
 * `Raw profile type exif` that ImageMagick writes, or else in XMP, as Pillow's `getexif` looks for it.
 */
export function orientationOf(bytes: Uint8Array): number {
  const { exif, xmp } = metadata(bytes);
  const [own] = (exif && readTiffTags(exif)?.get(tiffTag.orientation)) ?? [];
  const found = own ?? Number(/tiff:Orientation(?:="|>)(\d)/.exec(xmp ?? '')?.[1]);
  return found >= 1 && found <= 8 ? found : 1;
}

/** An image turned and mirrored as its orientation says. */
export function turned(image: Image, orientation: number): Image {
  if (orientation === 1) return image;
  const { height, width, pixels } = image;
  // The stored rows are columns from 5 on; where the first of them lies follows.
  const swaps = orientation >= 5;
  const [outHeight, outWidth] = swaps ? [width, height] : [height, width];
  const fromRight = [2, 3, 7, 8].includes(orientation);
  const fromBelow = [3, 4, 6, 7].includes(orientation);
  const out = new Uint8Array(pixels.length);
  for (let y = 0, to = 0; y < outHeight; y++)
    for (let x = 0; x < outWidth; x++, to += 3) {
      const [row, column] = swaps ? [x, y] : [y, x];
      const fromY = fromBelow ? height - 1 - row : row;
      const from = 3 * (fromY * width + (fromRight ? width - 1 - column : column));
      out[to] = pixels[from];
      out[to + 1] = pixels[from + 1];
      out[to + 2] = pixels[from + 2];
    }
  return { height: outHeight, width: outWidth, pixels: out };
}

interface Metadata {
  /** What is laid out as a TIFF. */
  readonly exif?: Uint8Array;
  readonly xmp?: string;
}

function metadata(bytes: Uint8Array): Metadata {
  if (bytes[0] === 0xff) return ofJpeg(bytes);
  if (bytes[0] === 0x89) return ofPng(bytes);
  if (bytes[0] !== 0x52) return {};
  const [exif] = webpChunks(bytes, 'EXIF');
  const [xmp] = webpChunks(bytes, 'XMP ');
  return { exif: exif && withoutExifMark(exif), xmp: xmp && latin1(xmp) };
}

function ofJpeg(bytes: Uint8Array): Metadata {
  const bodies = Array.from(segments(bytes)).filter(({ marker }) => marker === 0xe1);
  const after = (mark: string) => {
    const found = bodies.find(({ body }) => latin1(body.subarray(0, mark.length)) === mark);
    return found?.body.subarray(mark.length);
  };
  const xmp = after('http://ns.adobe.com/xap/1.0/\0');
  return { exif: after('Exif\0\0'), xmp: xmp && latin1(xmp) };
}

function ofPng(bytes: Uint8Array): Metadata {
  const [chunk] = pngChunks(bytes, 'eXIf');
  const exif = chunk ?? rawProfile(textOf(bytes, 'Raw profile type exif'));
  return { exif: exif && withoutExifMark(exif), xmp: textOf(bytes, 'XML:com.adobe.xmp') };
}

/** The text of a keyword in a PNG: plain, compressed, or international (PNG, 11.3.3). */
function textOf(bytes: Uint8Array, keyword: string): string | undefined {
  for (const type of ['tEXt', 'zTXt', 'iTXt'])
    for (const chunk of pngChunks(bytes, type)) {
      const end = chunk.indexOf(0);
      if (end < 0 || latin1(chunk.subarray(0, end)) !== keyword) continue;
      let text = chunk.subarray(end + 1);
      let isPacked = type === 'zTXt';
      if (isPacked) text = text.subarray(1);
      if (type === 'iTXt') {
        isPacked = text[0] === 1;
        // Behind two bytes stand the language and the translated keyword.
        const language = text.indexOf(0, 2);
        text = text.subarray(text.indexOf(0, language + 1) + 1);
      }
      return isPacked ? unpacked(text) : latin1(text);
    }
  return undefined;
}

function unpacked(text: Uint8Array): string | undefined {
  try {
    return latin1(inflateSync(text, { maxOutputLength: maxText }));
  } catch {
    // It is said of the image, and is not the image: Pillow too goes without a text that is damaged.
    return undefined;
  }
}

/** ImageMagick's form: a line break, a name, a length, then hexadecimal digits over lines. */
function rawProfile(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : Buffer.from(text.split('\n').slice(3).join(''), 'hex');
}

/** Some programs write the mark of JPEG's segments too. */
function withoutExifMark(exif: Uint8Array): Uint8Array {
  return latin1(exif.subarray(0, 6)) === 'Exif\0\0' ? exif.subarray(6) : exif;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
