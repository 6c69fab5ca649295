import type { ImageSize } from '../../data/image-set.ts';

/** Waves over the image, from nearly none to all of the range. */
const amplitudes = [4, 24, 60, 120];

/**
 * Made images, the same everywhere, on which the page compares its runtime with Node's: the pixels of each, `height × width × 3`.
 *
 * @example
 * ```ts
 * import { checkImages, openGuard } from 'la-ood/browser';
 *
 * const guard = await openGuard('guarded.onnx');
 * const [first] = checkImages(guard.info.size);
 * const { pValue } = await guard.score({ ...guard.info.size, pixels: first });
 * console.log(pValue);
 * ```
 */
export function checkImages({ height, width }: ImageSize): Uint8Array[] {
  return amplitudes.map((amplitude, i) => {
    const pixels = new Uint8Array(3 * height * width);
    for (let at = 0; at < pixels.length; at++) {
      const [channel, x, y] = [at % 3, Math.floor(at / 3) % width, Math.floor(at / (3 * width))];
      // Whole numbers only: sines differ in their last bits from machine to machine.
      const wave = ((x * (i + 3) + y * (channel + 5) + 7 * x * y) % 31) - 15;
      pixels[at] = 128 + Math.trunc((amplitude * wave) / 15);
    }
    return pixels;
  });
}
