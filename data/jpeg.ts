import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import load, { type JpegDecoder } from '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs';
import type { Image } from './image-set.ts';
import { decodeWith, jpegFrame } from './jpeg-codec.ts';

/** From about this size on, libvips' native code makes up for what a call costs. */
const maxPixels = 1 << 18;

let decoder: Promise<JpegDecoder> | undefined;

/**
 * Decodes a JPEG with libjpeg-turbo in WebAssembly, to the same bytes as Pillow and libvips do, whose cost for each
 * call is many times that of decoding a small image. Blocks the thread.
 *
 * @returns undefined where this is no undamaged grey or colour JPEG, or a large one: libvips then has the last word
 */
export async function decodeJpeg(bytes: Uint8Array): Promise<Image | undefined> {
  const frame = jpegFrame(bytes);
  if (!frame || frame.components === 4 || frame.height * frame.width > maxPixels) return undefined;
  decoder ??= loadDecoder();
  return decodeWith(await decoder, bytes);
}

async function loadDecoder(): Promise<JpegDecoder> {
  const file = createRequire(import.meta.url).resolve('@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasm');
  const { JPEGDecoder } = await load({ wasmBinary: await readFile(file), print() {}, printErr() {} });
  return new JPEGDecoder();
}
