import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { openImageSet } from '../../src/index.ts';

const side = 32;

/** Image files of many kinds, of the demo's own drawings, by what they are. */
export interface ImageFiles {
  /** Their pixels are the same in every browser. */
  readonly exact: readonly string[];
  /** Those of which the page says that their colours may differ a little. */
  readonly noted: readonly string[];
}

/** Writes them into a folder. */
export async function imageFiles(folder: string): Promise<ImageFiles> {
  const inD = await drawing('demo:test', 5);
  const ood = await drawing('demo:noise', 1);
  const photo = inD.clone().resize(301, 203, { fit: 'fill', kernel: 'cubic' });
  const texture = (await drawing('demo:textures', 2)).resize(640, 480, { fit: 'fill' });
  const exact: Readonly<Record<string, Sharp>> = {
    'ind.png': inD.clone().png(),
    'ood.png': ood.clone().png(),
    'ind-420.jpg': inD.clone().jpeg({ quality: 90 }),
    'ood-444.jpg': ood.clone().jpeg({ quality: 95, chromaSubsampling: '4:4:4' }),
    'photo-420.jpg': photo.clone().jpeg(),
    'texture-444.jpg': texture.clone().jpeg({ chromaSubsampling: '4:4:4' }),
    'grey.jpg': photo.clone().greyscale().jpeg(),
    // Turned by its EXIF data, which la-ood score does not heed.
    'turned.jpg': photo.clone().jpeg().withMetadata({ orientation: 6 }),
    'turned.png': photo.clone().png().withMetadata({ orientation: 6 }),
    'turned.webp': photo.clone().webp({ lossless: true }).withMetadata({ orientation: 6 }),
    'profile.png': photo.clone().png().withIccProfile('p3'),
    'alpha.png': (await withAlpha(photo)).png(),
    'alpha.webp': (await withAlpha(photo)).webp({ lossless: true, exact: true }),
    'palette.png': photo.clone().png({ palette: true }),
    'photo.webp': photo.clone().webp({ quality: 80 }),
    'photo.gif': photo.clone().gif(),
    'wide-4000.png': texture.clone().resize(4000, 500, { fit: 'fill' }).png({ compressionLevel: 1 }),
  };
  const noted: Readonly<Record<string, Sharp>> = {
    'progressive.jpg': photo.clone().jpeg({ progressive: true }),
    'progressive-turned.jpg': photo.clone().jpeg({ progressive: true }).withMetadata({ orientation: 6 }),
    'large.jpg': texture.clone().resize(2600, 1900, { fit: 'fill' }).jpeg(),
  };
  await mkdir(folder, { recursive: true });
  const write = async (files: Readonly<Record<string, Sharp>>) => {
    for (const [name, image] of Object.entries(files))
      await writeFile(join(folder, name), await image.toBuffer());
    return Object.keys(files).map((name) => join(folder, name));
  };
  return { exact: await write(exact), noted: await write(noted) };
}

/** An image of a built-in set, which no guard was calibrated with: of a twin, the p-value hangs on the last bit. */
async function drawing(set: string, index: number): Promise<Sharp> {
  const pixels = await (await openImageSet(set, { seed: 1 })).read(index, index + 1, {
    height: side,
    width: side,
  });
  return raw(pixels, side, side, 3);
}

/** Alpha from nothing to all; the colours below are kept. */
async function withAlpha(image: Sharp): Promise<Sharp> {
  const { data, info } = await image.clone().raw().toBuffer({ resolveWithObject: true });
  const rgba = new Uint8Array((data.length / 3) * 4);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4)
    rgba.set([data[from], data[from + 1], data[from + 2], to % 256], to);
  return raw(rgba, info.height, info.width, 4);
}

function raw(pixels: Uint8Array, height: number, width: number, channels: 3 | 4): Sharp {
  return sharp(pixels, { raw: { height, width, channels } });
}
