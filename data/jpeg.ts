import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import load, { type JpegDecoder } from '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs';
import type { ImageSize } from './image-set.ts';

/** What the frame header of a JPEG says (ITU T.81, B.2.2). */
export interface JpegFrame extends ImageSize {
  /** 1 grey, 3 colour, 4 CMYK. */
  readonly components: number;
}

/** A decoded JPEG, with one sample a pixel or three. */
export interface JpegSamples extends ImageSize {
  readonly channels: number;
  readonly samples: Uint8Array;
}

/** From about this size on, libvips' native code makes up for what a call costs. */
const maxPixels = 1 << 18;

let decoder: Promise<JpegDecoder> | undefined;

/**
 * Decodes a JPEG with libjpeg-turbo in WebAssembly, to the same bytes as Pillow and libvips do, whose cost for each
 * call is many times that of decoding a small image. Blocks the thread.
 *
 * @returns undefined where this is no undamaged grey or colour JPEG, or a large one: libvips then has the last word
 */
export async function decodeJpeg(bytes: Uint8Array): Promise<JpegSamples | undefined> {
  const frame = jpegFrame(bytes);
  if (!frame || frame.components === 4 || frame.height * frame.width > maxPixels) return undefined;
  decoder ??= loadDecoder();
  const codec = await decoder;
  codec.getEncodedBuffer(bytes.length).set(bytes);
  try {
    codec.decode();
  } catch (error) {
    // Whatever C++ throws arrives as the number of its address.
    if (typeof error === 'number') return undefined;
    throw error;
  }
  const { height, width, componentCount: channels } = codec.getFrameInfo();
  return { height, width, channels, samples: codec.getDecodedBuffer().slice() };
}

/** The first frame header of a JPEG; undefined where this is none, or it is cut short. */
export function jpegFrame(bytes: Uint8Array): JpegFrame | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.length < 2 || view.readUInt16BE(0) !== 0xffd8) return undefined;
  for (let at = 2; at + 9 < view.length; at += 2 + view.readUInt16BE(at + 2)) {
    const marker = view[at + 1];
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame)
      return {
        height: view.readUInt16BE(at + 5),
        width: view.readUInt16BE(at + 7),
        components: view[at + 9],
      };
  }
  return undefined;
}

async function loadDecoder(): Promise<JpegDecoder> {
  const file = createRequire(import.meta.url).resolve('@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasm');
  const { JPEGDecoder } = await load({ wasmBinary: await readFile(file), print() {}, printErr() {} });
  return new JPEGDecoder();
}
