import type { Color, Image } from '../../data/image-set.ts';
import { MAX_PIXELS, pickColors } from '../../data/pixels.ts';
import { blankExif } from './blank-exif.ts';

/**
 * The pixels of an image that the browser can decode, as they are in the file: no colour profile is applied, alpha is
 * dropped, or the colours are put on a background, and nothing is turned as EXIF data says.
 *
 * @param bytes of a JPEG, PNG or WebP file; their EXIF data is overwritten
 * @returns a note where the colours of transparent pixels are not exact
 * @throws Error where the browser cannot decode it
 */
export async function browserPixels(
  bytes: Uint8Array<ArrayBuffer>,
  background?: Color,
): Promise<{ image: Image; note?: string }> {
  blankExif(bytes);
  const bitmap = await createImageBitmap(new Blob([bytes]), {
    colorSpaceConversion: 'none',
    premultiplyAlpha: 'none',
  });
  try {
    const { height, width } = bitmap;
    if (height * width > MAX_PIXELS) throw new Error('it has more than 179 million pixels');
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext('2d', { willReadFrequently: true })!;
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height, { colorSpace: 'srgb' });
    const isOpaque = everyFourth(data, 255);
    // A canvas stores colours multiplied by alpha: what is transparent comes back coarser, or black.
    const exact = isOpaque ? new Uint8Array(data.buffer) : throughTexture(bitmap);
    const note = exact
      ? undefined
      : 'Without WebGL, this browser does not tell the exact colours of transparent pixels.';
    const rgba = exact ?? new Uint8Array(data.buffer);
    return { image: { height, width, pixels: pickColors(rgba, 4, (level) => level, background) }, note };
  } finally {
    bitmap.close();
  }
}

/** Textures of this side are known to every WebGL that there is. */
const TILE = 2048;

/** RGBA of a bitmap, not multiplied; undefined where there is no WebGL. */
function throughTexture(bitmap: ImageBitmap): Uint8Array | undefined {
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  if (!gl) return undefined;
  const { height, width } = bitmap;
  const pixels = new Uint8Array(4 * height * width);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  gl.pixelStorei(gl.PACK_ROW_LENGTH, width);
  for (let y = 0; y < height; y += TILE)
    for (let x = 0; x < width; x += TILE) {
      const [w, h] = [Math.min(TILE, width - x), Math.min(TILE, height - y)];
      gl.pixelStorei(gl.UNPACK_SKIP_PIXELS, x);
      gl.pixelStorei(gl.UNPACK_SKIP_ROWS, y);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, w, h, 0, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
      const [texture, attachment] = [gl.getParameter(gl.TEXTURE_BINDING_2D), gl.COLOR_ATTACHMENT0];
      gl.framebufferTexture2D(gl.FRAMEBUFFER, attachment, gl.TEXTURE_2D, texture, 0);
      gl.readPixels(0, 0, w, h, gl.RGBA, gl.UNSIGNED_BYTE, pixels, 4 * (y * width + x));
    }
  const failed = gl.getError() !== gl.NO_ERROR;
  // Browsers keep few contexts, and drop the oldest with a warning.
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  return failed ? undefined : pixels;
}

function everyFourth(data: Uint8ClampedArray, value: number): boolean {
  for (let at = 3; at < data.length; at += 4) if (data[at] !== value) return false;
  return true;
}
