/** Pillow's own limit against decompression bombs. */
export const maxPixels = 178_956_970;

/** The colours of grey (1 channel), grey with alpha (2), RGB (3) or RGB with alpha (4). */
export function pickColors(
  pixels: Uint8Array | Uint16Array,
  channels: number,
  toByte: (sample: number) => number,
): Uint8Array {
  if (channels === 3 && pixels instanceof Uint8Array) return pixels;
  const count = pixels.length / channels;
  const [green, blue] = channels < 3 ? [0, 0] : [1, 2];
  const rgb = new Uint8Array(3 * count);
  for (let i = 0; i < count; i++) {
    rgb[3 * i] = toByte(pixels[channels * i]);
    rgb[3 * i + 1] = toByte(pixels[channels * i + green]);
    rgb[3 * i + 2] = toByte(pixels[channels * i + blue]);
  }
  return rgb;
}
