import type { JpegDecoder } from '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs';
import type { Image, ImageSize } from './image-set.ts';
import { pickColors } from './pixels.ts';

/** What the frame header of a JPEG says (ITU T.81, B.2.2). */
export interface JpegFrame extends ImageSize {
  /** 1 grey, 3 colour, 4 CMYK. */
  readonly components: number;
}

/** The first frame header of a JPEG; undefined where this is none, or it is cut short. */
export function jpegFrame(bytes: Uint8Array): JpegFrame | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 2 || view.getUint16(0) !== 0xffd8) return undefined;
  for (let at = 2; at + 9 < bytes.length; at += 2 + view.getUint16(at + 2)) {
    const marker = bytes[at + 1];
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame)
      return {
        height: view.getUint16(at + 5),
        width: view.getUint16(at + 7),
        components: bytes[at + 9],
      };
  }
  return undefined;
}

/**
 * Decodes a JPEG with libjpeg-turbo in WebAssembly, to the same bytes as Pillow and libvips do. Blocks the thread.
 *
 * @returns undefined where it is damaged, if only a little, or is no 8-bit grey or colour JPEG
 */
export function decodeWith(codec: JpegDecoder, bytes: Uint8Array): Image | undefined {
  codec.getEncodedBuffer(bytes.length).set(bytes);
  try {
    codec.decode();
  } catch (error) {
    // Whatever C++ throws arrives as the number of its address.
    if (typeof error === 'number') return undefined;
    throw error;
  }
  const { height, width, componentCount } = codec.getFrameInfo();
  // The decoder's own memory is overwritten by the next file.
  const samples = codec.getDecodedBuffer().slice();
  return { height, width, pixels: pickColors(samples, componentCount, (sample) => sample) };
}
