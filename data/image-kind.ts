import { extname } from 'node:path';

/** The kinds of image files that are read. */
export type ImageKind = 'JPEG' | 'PNG' | 'WebP' | 'GIF' | 'BMP' | 'TIFF' | 'AVIF';

/** File name endings of images that are read, in lower case. */
export const imageExtensions: readonly string[] = [
  ...['.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.webp', '.gif', '.bmp', '.dib', '.tif', '.tiff', '.avif'],
];

/** Bytes of a file that tell its kind. */
export const KIND_BYTES = 64;

/** Whether a file of this name is taken for an image, whatever is in it. */
export function isImageName(name: string): boolean {
  return imageExtensions.includes(extname(name).toLowerCase());
}

/** The kind of image that a file is by its first bytes; undefined where it is none, or one that is not read. */
export function imageKind(head: Uint8Array): ImageKind | undefined {
  const text = latin1(head);
  if (text.startsWith('\xff\xd8\xff')) return 'JPEG';
  if (text.startsWith('\x89PNG')) return 'PNG';
  if (/^RIFF.{4}WEBP/s.test(text)) return 'WebP';
  if (/^GIF8[79]a/.test(text)) return 'GIF';
  if (text.startsWith('BM') && bmpHeaders.includes(text.slice(14, 18))) return 'BMP';
  if (/^(II[*+]\0|MM\0[*+])/.test(text)) return 'TIFF';
  return heifBrands(text)?.some((brand) => brand === 'avif' || brand === 'avis') ? 'AVIF' : undefined;
}

/** The sizes that the second header of a BMP may have, in four bytes each. */
const bmpHeaders = [12, 40, 52, 56, 64, 108, 124].map((size) => `${String.fromCharCode(size)}\0\0\0`);

/** Files that are not read, by how they begin. */
const unread: readonly (readonly [begin: string, kind: string])[] = [
  ['\0\0\0\x0cjP', 'JPEG 2000'],
  ['\xff\x4f\xff\x51', 'JPEG 2000'],
  ['\0\0\0\x0cJXL', 'JPEG XL'],
  ['\xff\x0a', 'JPEG XL'],
  ['8BPS', 'Photoshop'],
  ['\0\0\x01\0', 'icon'],
  ['\x76\x2f\x31\x01', 'OpenEXR'],
  ['#?RADIANCE', 'Radiance'],
  ['SIMPLE  =', 'FITS'],
  ['DDS ', 'DDS'],
  ['%PDF', 'PDF'],
  ['\x93NUMPY', 'NumPy array'],
  ['<svg', 'SVG'],
];

/** What a file that is not read is called in a message, by its first bytes: `HEIC`, `text`, `empty`. */
export function unreadKind(head: Uint8Array): string {
  const text = latin1(head);
  if (text === '') return 'empty';
  if (heifBrands(text)?.some((brand) => /^(hei[cxmsf]|hev[cx]|mif1|msf1)$/.test(brand))) return 'HEIC';
  const known = unread.find(([begin]) => text.startsWith(begin));
  if (known) return known[1];
  if (/^P[1-7]\s/.test(text)) return 'Netpbm';
  return /^[\t\n\r\x20-\x7e\x80-\xff]+$/.test(text) ? 'text' : 'of no known kind';
}

/** The brands of a file of the ISO base media format, which HEIC and AVIF share. */
function heifBrands(text: string): string[] | undefined {
  if (text.slice(4, 8) !== 'ftyp') return undefined;
  const size = (text.charCodeAt(2) << 8) | text.charCodeAt(3);
  // The major brand, four bytes of its version, the compatible ones.
  const compatible = text.slice(16, Math.max(16, size)).match(/.{4}/gs) ?? [];
  return [text.slice(8, 12), ...compatible];
}

function latin1(head: Uint8Array): string {
  return Buffer.from(head.subarray(0, KIND_BYTES)).toString('latin1');
}
