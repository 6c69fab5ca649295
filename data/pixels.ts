import type { Color } from './image-set.ts';

/** Pillow's own limit against decompression bombs. */
export const MAX_PIXELS = 178_956_970;

/** As Pillow's `background.paste(image, mask=alpha)`, rounded as there (`BLEND` in `src/libImaging/ImagingUtils.h`). */
function onBackground(
  pixels: Uint8Array | Uint16Array,
  channels: number,
  toByte: (sample: number) => number,
  background: Color,
): Uint8Array {
  const rgb = new Uint8Array((3 * pixels.length) / channels);
  for (let from = 0, to = 0; from < pixels.length; from += channels) {
    const alpha = toByte(pixels[from + channels - 1]);
    for (let c = 0; c < 3; c++) {
      const color = toByte(pixels[from + (channels === 4 ? c : 0)]);
      const sum = alpha * color + (255 - alpha) * background[c] + 128;
      rgb[to++] = ((sum >> 8) + sum) >> 8;
    }
  }
  return rgb;
}

/** The colours of grey (1 channel), grey with alpha (2), RGB (3) or RGB with alpha (4), which is dropped where no background is given. */
export function pickColors(
  pixels: Uint8Array | Uint16Array,
  channels: number,
  toByte: (sample: number) => number,
  background?: Color,
): Uint8Array {
  if (channels === 3 && pixels instanceof Uint8Array) return pixels;
  if (background && channels % 2 === 0) return onBackground(pixels, channels, toByte, background);
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
